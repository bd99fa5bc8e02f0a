"""What every ``TreeSink`` of rvbuild does, proved over each of them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import rvbuild
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.sink import TreeSink
from rvbuild.images import files, layer
from rvbuild.kinds.crates import crate_file, vendored
from rvbuild.kinds.crates.source import VendoredCrate
from rvbuild.kinds.git.git_sinks import GitNameSink, Selected
from rvbuild.kinds.go import fetch as go
from rvbuild.kinds.path import fetch as path
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore
from rvbuild.transfers.sinks import DigestSink

Make = Callable[[Path], Iterator[TreeSink]]


def _memory(_: Path) -> Iterator[TreeSink]:
    with MemoryStore().trees.new_tree() as writer:
        yield writer


def _local(folder: Path) -> Iterator[TreeSink]:
    with LocalStore(str(folder), durable=False).trees.new_tree() as writer:
        yield writer


CRATE = VendoredCrate(name="x", version="1.0.0", sha256="0" * 64)


class _InTheCrate(crate_file._CrateFolder):
    """Takes paths of the crate, as other sinks do: the real one takes those of its folder."""

    def _inner(self, path: str) -> str:
        return super()._inner(f"{self._crate.top}/{path}")


REFUSING: dict[str, Make] = {
    "MemoryWriter": _memory,
    "LocalWriter": _local,
    "DigestSink": lambda _: iter([DigestSink()]),
    "GitNameSink": lambda _: iter([GitNameSink("0" * 40)]),
    "Selected": lambda _: iter([Selected(DigestSink(), ())]),
    "_Both": lambda _: iter([path._Both(DigestSink())]),
}
"""Sinks that refuse a bad path themselves."""

BEHIND_A_GUARD: dict[str, Make] = {
    "_Hashing": lambda _: iter([go._Hashing()]),
    "_CrateFolder": lambda _: iter([_InTheCrate(DigestSink(), CRATE)]),
    "_VendoredFolder": lambda _: iter([vendored._VendoredFolder(DigestSink(), CRATE)]),
    "_Entries": lambda _: iter([layer._Entries("x", lambda *_: None, ())]),
    "_Files": lambda _: iter([files._Files(lambda *_: None)]),
}
"""Sinks that only an archive's guard writes to: it has refused bad paths before."""

SINKS = REFUSING | BEHIND_A_GUARD


def reads_all(sink: TreeSink) -> None:
    chunks = [b"a" * 9000, b"", b"b"]
    assert sink.file("d/file", chunks) == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert sink.file("empty", []) == hashlib.sha256(b"").hexdigest()


def lets_an_error_of_the_source_pass(sink: TreeSink) -> None:
    def broken() -> Iterator[bytes]:
        yield from (b"one", b"two")
        msg = "cut off"
        raise SourceError(msg)

    with pytest.raises(SourceError, match="cut off"):
        sink.file("file", broken())


def takes_all_kinds(sink: TreeSink) -> None:
    sink.directory("a/b")
    sink.directory("a/b")
    sink.file("a/file", [b"x"], executable=True)
    sink.copy("a/copy", "a/file")
    sink.symlink("link", "a/file")


def refuses_a_path_that_is_not_in_normal_form(sink: TreeSink) -> None:
    for bad in ("", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../x", "a/./b", "nul\0"):
        with pytest.raises(VerificationError):
            sink.file(bad, [b"x"])


def refuses_a_name_twice_and_one_below_a_file(sink: TreeSink) -> None:
    sink.file("file", [b"x"])
    for bad in ("file", "file/below"):
        with pytest.raises(VerificationError):
            sink.file(bad, [b"y"])
        with pytest.raises(VerificationError):
            sink.symlink(bad, "y")


def refuses_a_copy_of_nothing(sink: TreeSink) -> None:
    with pytest.raises(VerificationError):
        sink.copy("copy", "missing")


Check = Callable[[TreeSink], None]
EVERY: list[Check] = [reads_all, lets_an_error_of_the_source_pass, takes_all_kinds]
STRICT: list[Check] = [
    refuses_a_path_that_is_not_in_normal_form,
    refuses_a_name_twice_and_one_below_a_file,
    refuses_a_copy_of_nothing,
]


@pytest.mark.parametrize("check", EVERY)
@pytest.mark.parametrize("name", SINKS)
def test_every_sink(name: str, check: Check, tmp_path: Path):
    for sink in SINKS[name](tmp_path / "store"):
        check(sink)


@pytest.mark.parametrize("check", STRICT)
@pytest.mark.parametrize("name", REFUSING)
def test_sinks_that_refuse(name: str, check: Check, tmp_path: Path):
    for sink in REFUSING[name](tmp_path / "store"):
        check(sink)


def test_no_sink_is_left_out():
    """``Guard`` has the methods, and stands before a sink: its names are bytes of an archive."""
    found = {
        node.name
        for file in Path(rvbuild.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        and {"directory", "file", "symlink"}
        <= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    }
    assert found - {"TreeSink", "Guard"} == set(SINKS)


class _Lazy(DigestSink):
    """Stops reading early."""

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        return super().file(path, list(chunks)[:1], executable=executable)


class _Quiet(DigestSink):
    """Takes a broken source for its end."""

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        try:
            return super().file(path, chunks, executable=executable)
        except SourceError:
            return ""


@pytest.mark.parametrize(
    ("sink", "check"),
    [
        (_Lazy(), reads_all),
        (_Quiet(), lets_an_error_of_the_source_pass),
        *((go._Hashing(), check) for check in STRICT),
    ],
)
def test_the_suite_rejects_a_sink_with_a_known_fault(sink: TreeSink, check: Check):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(sink)
