"""Caches that do not come back are left behind."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import BinaryIO

import pytest
from attrs import define, field

from rvbuild.caches.timed import TimedCache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheMiss, Interrupted
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.deadline import Deadline, seconds_left

BODY = b"text" * 1000
ITEM = Digest.of(BODY)
SHORT, LONG = 0.1, 5.0


@define
class Stuck:
    """A cache like a folder of a dead server: no call comes back before ``end``."""

    end: threading.Event = field(factory=threading.Event)
    taken: list[bytes] = field(factory=list)
    faults: list[Exception] = field(factory=list)

    def _wait(self) -> None:
        self.end.wait(LONG)

    def missing(self, _objects: Collection[Digest]) -> frozenset[Digest]:
        self._wait()
        return frozenset()

    def read(self, _item: Digest, _begin: int = 0) -> Iterator[bytes]:
        yield BODY[:100]
        self._wait()
        yield BODY[100:]

    def write(self, _item: Digest, data: BinaryIO) -> None:
        self.taken.append(data.read(100))
        self._wait()
        try:
            self.taken.append(data.read(100))
        except ValueError as error:
            self.faults.append(error)

    def record(self, _name: str) -> bytes | None:
        self._wait()
        return None

    def write_record(self, _name: str, _data: bytes) -> None:
        self._wait()

    def entries(self, _prefix: str) -> Iterator[CacheEntry]:
        self._wait()
        yield CacheEntry("a", 1, 1.0)

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        self._wait()
        yield from ((name, b"") for name in names)

    def remove(self, _name: str) -> None:
        self._wait()


CALLS: list[Callable[[TimedCache], object]] = [
    lambda cache: cache.missing([ITEM]),
    lambda cache: list(cache.read(ITEM)),
    lambda cache: cache.write(ITEM, io.BytesIO(BODY)),
    lambda cache: cache.record("a"),
    lambda cache: cache.write_record("a", b""),
    lambda cache: list(cache.entries("")),
    lambda cache: list(cache.records(["a"])),
    lambda cache: cache.remove("a"),
]


@pytest.mark.parametrize("call", CALLS)
def test_each_call_ends_in_time(call: Callable[[TimedCache], object]):
    stuck = Stuck()
    cache = TimedCache(stuck, "the cache", lambda: SHORT)
    began = time.monotonic()
    with pytest.raises(CacheDown, match=r"the cache: no answer in 0\.1 s"):
        call(cache)
    assert time.monotonic() - began < LONG / 2
    stuck.end.set()


@pytest.mark.parametrize("call", CALLS)
def test_each_call_ends_when_the_run_is_cancelled(call: Callable[[TimedCache], object]):
    stuck, cancellation = Stuck(), Cancellation()
    cache = TimedCache(stuck, "the cache", lambda: LONG, cancellation)
    timer = threading.Timer(SHORT, cancellation.cancel)
    timer.start()
    with pytest.raises(Interrupted):
        call(cache)
    timer.join()
    stuck.end.set()


@pytest.mark.parametrize("call", CALLS)
def test_each_call_that_ends_in_time_gives_its_answer(call: Callable[[TimedCache], object]):
    stuck = Stuck()
    stuck.end.set()
    bare = call(stuck)  # type: ignore[arg-type]
    assert call(TimedCache(stuck, "the cache", lambda: LONG)) == bare


def test_who_is_left_behind_reads_no_more_of_what_it_writes():
    """Its owner goes on to do something else with the file."""
    stuck = Stuck()
    data = io.BytesIO(BODY)
    with pytest.raises(CacheDown):
        TimedCache(stuck, "the cache", lambda: SHORT).write(ITEM, data)
    stuck.end.set()
    for _ in range(100):
        if stuck.faults:
            break
        threading.Event().wait(0.02)
    assert stuck.taken == [BODY[:100]]
    assert data.tell() == 100
    assert len(stuck.faults) == 1


class Slow(Stuck):
    """A cache whose every piece comes within the wait, and all of them do not."""

    def write(self, _item: Digest, data: BinaryIO) -> None:
        while data.read(500):
            threading.Event().wait(SHORT)

    def read(self, _item: Digest, _begin: int = 0) -> Iterator[bytes]:
        for begin in range(0, len(BODY), 500):
            threading.Event().wait(SHORT)
            yield BODY[begin : begin + 500]


def test_progress_lets_the_wait_begin_again():
    cache = TimedCache(Slow(), "the cache", lambda: SHORT * 6)
    cache.write(ITEM, io.BytesIO(BODY))
    assert b"".join(cache.read(ITEM)) == BODY


def test_a_wait_to_a_moment_ends_there_whatever_the_progress():
    end = time.monotonic() + 2 * SHORT
    cache = TimedCache(Slow(), "the cache", lambda: end - time.monotonic())
    with pytest.raises(CacheDown):
        list(cache.read(ITEM))
    assert time.monotonic() < end + LONG / 2


class Missing(Stuck):
    """A cache of nothing."""

    def read(self, _item: Digest, _begin: int = 0) -> Iterator[bytes]:
        msg = "no"
        raise CacheMiss(msg)


def test_errors_pass():
    with pytest.raises(CacheMiss):
        list(TimedCache(Missing(), "the cache", lambda: LONG).read(ITEM))


def test_a_deadline_begins_with_its_first_use_and_again_with_progress():
    now = [100.0]
    deadline = Deadline(lambda: 5.0, lambda: now[0])
    now[0] = 200.0
    assert deadline == 5.0
    assert deadline.left() == 5.0
    now[0] = 203.0
    assert seconds_left(deadline) == 2.0
    now[0] = 300.0
    assert deadline.left() == 0.0
    assert seconds_left(deadline) == 0.001  # 0 would mean to a socket not to wait at all
    deadline.renew()
    assert seconds_left(deadline) == 5.0
    assert [seconds_left(None), seconds_left(7.0)] == [None, 7.0]
