"""What every capturer does, proved over that of a store on disk and of one in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from store_parts import with_parts

from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import Interrupted, StoreError, VerificationError
from rvbuild.core.ports.callbacks import Taken
from rvbuild.core.ports.capturer import Capturer
from rvbuild.core.tree import File, Symlink, Tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore

Store = LocalStore | MemoryStore
BIG = b"text\n" * 600_000


def fill(folder: Path) -> Tree:
    """One of everything that a tree can hold, and what must not be taken of it."""
    (folder / "d/deep").mkdir(parents=True)
    (folder / "d/plain").write_bytes(b"text")
    (folder / "d/plain").chmod(0o600)
    (folder / "big").write_bytes(BIG)
    (folder / "run").write_bytes(b"#!")
    (folder / "run").chmod(0o4755)
    (folder / "twin").hardlink_to(folder / "run")
    (folder / "others-may").touch(0o611)
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder-link").symlink_to("d")
    (folder / "nowhere").symlink_to("nothing")
    run = File(Digest.of(b"#!"), executable=True)
    return Tree.of(
        {
            "d": {"deep": {}, "plain": File(Digest.of(b"text"))},
            "big": File(Digest.of(BIG)),
            "run": run,
            "twin": run,
            "others-may": File(EMPTY),
            "link": Symlink("/etc/passwd"),
            "folder-link": Symlink("d"),
            "nowhere": Symlink("nothing"),
        }
    )


def ignore(_entries: int, _size: int) -> None:
    """As much as there is may be taken."""


def takes_content_and_the_executable_bit(store: Store, folder: Path) -> None:
    tree = fill(folder)
    assert store.capturer.capture(str(folder), ignore) == tree
    assert store.trees.has_tree(tree.root)
    assert store.trees.tree(tree.root) == tree
    assert store.cas.read(Digest.of(BIG)) == BIG


def takes_an_empty_folder(store: Store, folder: Path) -> None:
    assert store.capturer.capture(str(folder), ignore).root == EMPTY
    assert store.trees.has_tree(EMPTY)


def keeps_writers_out(store: Store, folder: Path) -> None:
    """Neither who holds a file open, nor another name of it, changes what was taken."""
    (folder / "held").write_bytes(b"good")
    (folder / "named").write_bytes(b"fine")
    other = folder.with_name("elsewhere")
    other.hardlink_to(folder / "named")
    with (folder / "held").open("r+b") as held:
        root = store.capturer.capture(str(folder), ignore).root
        held.write(b"evil")
    other.write_bytes(b"evil")
    place = Path(store.mountable.path(root))
    assert [(place / name).read_bytes() for name in ("held", "named")] == [b"good", b"fine"]


def counts_every_entry_and_byte(store: Store, folder: Path) -> None:
    tree, counts = fill(folder), [0, 0]

    def taken(entries: int, size: int) -> None:
        counts[0] += entries
        counts[1] += size

    store.capturer.capture(str(folder), taken)
    files = [node for _, node in tree.walk() if isinstance(node, File)]
    assert counts == [10, sum(file.digest.size for file in files)]


def ends_when_nobody_wants_it(store: Store, folder: Path) -> None:
    """At whichever call, with the caller's own error; nothing is registered."""
    calls: list[int] = []
    store.capturer.capture(str(_filled(folder / "all")), lambda *_: calls.append(1))
    assert calls
    for last in range(1, len(calls) + 1, 4):
        left, error = [last], Interrupted("enough")

        def taken(_entries: int, _size: int, left: list[int] = left, e: Exception = error) -> None:
            left[0] -= 1
            if not left[0]:
                raise e

        part = folder / str(last)
        part.mkdir()
        (part / "only-here").write_bytes(b"%d" % last)
        tree = Tree.of({"only-here": File(Digest.of(b"%d" % last)), **fill(part).nested()})
        with pytest.raises(Interrupted) as caught:
            store.capturer.capture(str(part), taken)
        assert caught.value is error
        assert not store.trees.has_tree(tree.root)


def _filled(folder: Path) -> Path:
    folder.mkdir()
    fill(folder)
    return folder


def refuses_what_a_tree_cannot_hold(store: Store, folder: Path) -> None:
    (folder / "d").mkdir()
    os.mkfifo(folder / "d/pipe")
    with pytest.raises(VerificationError, match="d/pipe"):
        store.capturer.capture(str(folder), ignore)
    (folder / "d/pipe").unlink()
    assert store.capturer.capture(str(folder), ignore) == Tree.of({"d": {}})


def refuses_a_name_that_is_not_text(store: Store, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    with pytest.raises(VerificationError):
        store.capturer.capture(str(folder), ignore)


def says_that_there_is_no_folder(store: Store, folder: Path) -> None:
    """Nothing, a file, and a link to a folder, which is somebody else's."""
    folder.with_name("file").touch()
    folder.with_name("link").symlink_to(folder)
    for name in ("nothing", "file", "link"):
        with pytest.raises(StoreError):
            store.capturer.capture(str(folder.with_name(name)), ignore)


Check = Callable[[Store, Path], None]
CHECKS: list[Check] = [
    takes_content_and_the_executable_bit,
    takes_an_empty_folder,
    keeps_writers_out,
    counts_every_entry_and_byte,
    ends_when_nobody_wants_it,
    refuses_what_a_tree_cannot_hold,
    refuses_a_name_that_is_not_text,
    says_that_there_is_no_folder,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is taken, alone in a folder of its own."""
    place = tmp_path / "from/out"
    place.mkdir(parents=True)
    return place


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_every_capturer(kind: str, check: Check, folder: Path, tmp_path: Path):
    place = str(tmp_path / "store")
    check(MemoryStore(place) if kind == "memory" else LocalStore(place, durable=False), folder)


# ---- the suite itself


@frozen
class _Faulty:
    """A good capturer, with a fault in what it is asked."""

    inner: Capturer

    def capture(self, directory: str, taken: Taken) -> Tree:
        return self.inner.capture(directory, taken)


class _Plain(_Faulty):
    """Takes no executable bits."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        Path(directory, "run").chmod(0o644)
        return self.inner.capture(directory, taken)


class _Silent(_Faulty):
    """Counts nothing, and cannot be ended."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        del taken
        return self.inner.capture(directory, ignore)


class _Sparing(_Faulty):
    """Leaves out what a tree cannot hold."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        for path in Path(directory).rglob("*"):
            if path.is_fifo() or not path.name.isprintable():
                path.unlink()
        return self.inner.capture(directory, taken)


class _Made(_Faulty):
    """Takes what is not there for empty, and follows a link."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        if not os.path.isdir(directory):
            return Tree.of({})
        return self.inner.capture(os.path.realpath(directory), taken)


class _Hollow(_Faulty):
    """Has no root for a folder without entries."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        root = self.inner.capture(directory, taken)
        return root if os.listdir(directory) else Tree.of({"d": {}})


FAULTS: list[tuple[type[_Faulty], Check]] = [
    (_Plain, takes_content_and_the_executable_bit),
    (_Hollow, takes_an_empty_folder),
    (_Silent, counts_every_entry_and_byte),
    (_Silent, ends_when_nobody_wants_it),
    (_Sparing, refuses_what_a_tree_cannot_hold),
    (_Sparing, refuses_a_name_that_is_not_text),
    (_Made, says_that_there_is_no_folder),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_the_suite_rejects_a_capturer_with_a_known_fault(
    fault: type[_Faulty], check: Check, folder: Path, tmp_path: Path
):
    store = MemoryStore(str(tmp_path / "store"))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(with_parts(store, capturer=fault(store.capturer)), folder)


def test_the_suite_rejects_a_store_that_shares_the_files(folder: Path, tmp_path: Path):
    """Its path of a tree is the folder itself, which others can write."""

    class Sharing:
        def path(self, _root: Digest) -> str:
            return str(folder)

    store = MemoryStore(str(tmp_path / "store"))
    with pytest.raises(AssertionError):
        keeps_writers_out(with_parts(store, mountable=Sharing()), folder)
