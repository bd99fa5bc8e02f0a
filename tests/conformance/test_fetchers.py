"""What the fetcher of every kind of source does, proved over each way to its bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import define, evolve, field, frozen
from fetch_kinds import KINDS, url
from fetch_places import Goods, place

from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError, SourceError, StoreError, VerificationError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.source import Source
from rvbuild.kinds import table
from rvbuild.stores.memory import MemoryStore
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

PATIENCE = 60
"""Seconds after which a test gives up what should happen at once."""


@define
class _Sink(DigestSink):
    """Counts its calls; ``during`` is called in each, with its number."""

    during: Callable[[int], object] = field(default=lambda _: None, kw_only=True)
    calls: int = field(default=0, init=False)

    def _call(self) -> None:
        self.calls += 1
        self.during(self.calls)

    def directory(self, path: str) -> None:
        self._call()
        super().directory(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        def rest() -> Iterator[bytes]:
            """A sink that is full says so in the middle of a file."""
            pieces = iter(chunks)
            yield from [piece for piece in (next(pieces, b""),) if piece]
            self._call()
            yield from pieces

        return super().file(path, rest(), executable=executable)

    def symlink(self, path: str, target: str) -> None:
        self._call()
        super().symlink(path, target)

    def copy(self, path: str, of: str) -> None:
        self._call()
        super().copy(path, of)


def fetched(goods: Goods, sink: _Sink | None = None) -> Digest:
    """The root of what comes."""
    sink = sink or _Sink()
    goods.fetcher.fetch(goods.source, sink, no_progress)
    return sink.tree.root


def committed(goods: Goods, store: MemoryStore, advance: Advance = no_progress) -> Digest:
    """The root of what is in a store afterwards."""
    with store.trees.new_tree() as writer:
        goods.fetcher.fetch(goods.source, writer, advance)
        return writer.commit().root


def refusal(goods: Goods, advance: Advance = no_progress) -> RvbuildError:
    """Why nothing comes; nothing of it may be there afterwards."""
    sink, store = _Sink(), MemoryStore()
    with pytest.raises((SourceError, VerificationError)) as caught:
        committed(goods, store, advance)
    with pytest.raises((SourceError, VerificationError)):
        goods.fetcher.fetch(goods.source, sink, no_progress)
    assert sink.tree.root != goods.root
    assert not store.trees.has_tree(goods.root)
    assert not store.trees.has_tree(sink.tree.root)
    error: RvbuildError = caught.value
    return error


def brings_the_tree(goods: Goods) -> None:
    store = MemoryStore()
    assert [committed(goods, store), fetched(goods)] == [goods.root] * 2
    assert store.trees.has_tree(goods.root)


def refuses_other_bytes(goods: Goods) -> None:
    """Of the right form: only their hash is wrong."""
    goods.write(goods.other)
    assert isinstance(refusal(goods), goods.refusal)


def refuses_bytes_without_a_form(goods: Goods) -> None:
    """A changed bit, a part that says that it is the whole, a page of a tired server, nothing."""
    middle = len(goods.bytes) // 2
    flipped = bytes([goods.bytes[middle] ^ 1])
    for data in (
        goods.bytes[:middle] + flipped + goods.bytes[middle + 1 :],
        goods.bytes[:middle],
        b"<html>sorry</html>",
        b"",
    ):
        goods.write(data)
        assert isinstance(refusal(goods), goods.unreadable)


def tells_absence_from_damage(goods: Goods) -> None:
    goods.remove()
    error = refusal(goods)
    assert type(error) is SourceError, error
    assert goods.place in "\n".join([str(error), *error.details])


def gives_no_part(goods: Goods) -> None:
    refusal(goods, goods.cut())


def takes_up_what_broke(goods: Goods) -> None:
    if goods.hiccup is not None:
        goods.hiccup()
        assert fetched(goods) == goods.root


def stops_with_the_sink(goods: Goods) -> None:
    """Whichever call it is that fails, with the sink's own error, and asks it for no more."""
    sink = _Sink()
    fetched(goods, sink)
    for last in range(1, sink.calls + 1):
        for error in (StoreError("the disk is full"), VerificationError("no such path")):
            broken = _Sink(during=_raise_at(last, error))
            with pytest.raises(type(error)) as caught:
                fetched(goods, broken)
            assert caught.value is error
            assert broken.calls == last


def _raise_at(last: int, error: Exception) -> Callable[[int], None]:
    def during(call: int) -> None:
        if call == last:
            raise error

    return during


def serves_two_at_once(goods: Goods) -> None:
    """Each is in the middle of its work when the other is."""
    both = threading.Barrier(2)
    there: set[int] = set()

    def during(_: int) -> None:
        if threading.get_ident() not in there:
            there.add(threading.get_ident())
            both.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        roots = list(pool.map(lambda _: fetched(goods, _Sink(during=during)), range(2)))
    assert roots == [goods.root] * 2


Check = Callable[[Goods], None]
CHECKS: list[Check] = [
    brings_the_tree,
    refuses_other_bytes,
    refuses_bytes_without_a_form,
    tells_absence_from_damage,
    gives_no_part,
    takes_up_what_broke,
    stops_with_the_sink,
    serves_two_at_once,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("kind", "way"), [(k, way) for k, ways in KINDS.items() for way in ways])
def test_every_fetcher(kind: str, way: str, check: Check, tmp_path: Path):
    with place(tmp_path) as at:
        goods = KINDS[kind][way](at)
        assert goods.source.kind == kind
        check(goods)


def test_no_kind_is_left_out():
    assert set(KINDS) == set(table._ROWS)


# ---- the suite itself


@frozen
class _Faulty:
    """A fetcher with a fault, in front of a good one."""

    inner: AnyFetcher


class _Trusting(_Faulty):
    """Verifies nothing."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        self.inner.fetch(evolve(source, sha256=""), into, advance)  # type: ignore[call-arg]


class _Quiet(_Faulty):
    """Takes absence, and a transfer that broke, for the end."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        try:
            self.inner.fetch(source, into, advance)
        except SourceError:
            into.file("a.txt", [b"one\n"])


class _Hasty(_Faulty):
    """Gives a transfer that broke up."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        patience = Patience(tries=1, restarts=0)
        with Transport(patience=patience, environment={}, credentials=Credentials({})) as transport:
            files = evolve(self.inner.files, transport=transport)  # type: ignore[attr-defined]
            evolve(self.inner, files=files).fetch(source, into, advance)  # type: ignore[call-arg]


class _Confused(_Faulty):
    """Calls absence damage."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        try:
            self.inner.fetch(source, into, advance)
        except SourceError as error:
            raise VerificationError(error.message, details=error.details) from error


class _Absent(_Faulty):
    """Calls damage absence."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        try:
            self.inner.fetch(source, into, advance)
        except VerificationError as error:
            raise SourceError(error.message, details=error.details) from error


class _Blaming(_Faulty):
    """Takes the sink's errors for the source's."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        try:
            self.inner.fetch(source, into, advance)
        except StoreError as error:
            raise SourceError(error.message) from error


class _Forgetful(_Faulty):
    """Leaves the last file out."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        self.inner.fetch(source, DigestSink(), advance)
        into.file("a.txt", [b"one\n" * 2000])


@define
class _Shared:
    """Keeps what one thread does where another one finds it."""

    inner: AnyFetcher
    into: TreeSink = field(factory=DigestSink)

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        self.into = into
        self.inner.fetch(source, self, advance)  # type: ignore[arg-type]

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        return self.into.file(path, chunks, executable=executable)

    def directory(self, path: str) -> None:
        self.into.directory(path)


FAULTS: list[tuple[Callable[[AnyFetcher], AnyFetcher], Check]] = [
    (_Forgetful, brings_the_tree),
    (_Trusting, refuses_other_bytes),
    (_Absent, refuses_bytes_without_a_form),
    (_Quiet, tells_absence_from_damage),
    (_Confused, tells_absence_from_damage),
    (_Quiet, gives_no_part),
    (_Hasty, takes_up_what_broke),
    (_Blaming, stops_with_the_sink),
    (_Shared, serves_two_at_once),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_the_suite_rejects_a_fetcher_with_a_known_fault(
    fault: Callable[[AnyFetcher], AnyFetcher], check: Check, tmp_path: Path
):
    with place(tmp_path) as at:
        goods = url(at)
        with pytest.raises((AssertionError, pytest.fail.Exception, RvbuildError)):
            check(evolve(goods, fetcher=fault(goods.fetcher)))


def test_each_check_has_a_fault():
    assert {check for _, check in FAULTS} == set(CHECKS)
