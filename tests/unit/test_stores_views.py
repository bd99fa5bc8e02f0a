"""What people edit is theirs: it is noticed, kept, and nothing that a build reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kept_results import keep

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import Tree
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores import views
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import repair
from rvbuild.stores.verify import Finding, verify
from rvbuild.stores.views import copy_out, is_as_marked, is_copy, view

DEEP = "d/" * 1020


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def made(store: LocalStore, text: bytes = b"version 1") -> Digest:
    with store.trees.new_tree() as writer:
        writer.directory("empty")
        writer.file("a/text", [text])
        writer.file("a/run", [b"#!/bin/sh\n"], executable=True)
        writer.file(f"{DEEP}f", [b"deep"])
        writer.symlink("link", "a/text")
        return writer.commit().root


def findings(store: LocalStore) -> list[Finding]:
    found: list[Finding] = []
    verify(store, found.append)
    return found


def test_a_view_is_a_copy_with_inodes_of_its_own(store: LocalStore) -> None:
    root = made(store)
    top, tree = Path(view(store, store.trees.tree(root)).path), Path(store.mountable.path(root))
    for path in ("a/text", "a/run"):
        mine, theirs = (top / path).lstat(), (tree / path).lstat()
        assert mine.st_ino != theirs.st_ino
        assert (mine.st_mode, mine.st_mtime_ns) == (theirs.st_mode, EPOCH_NS)
    assert os.readlink(top / "link") == "a/text"
    assert is_copy(store.trees.tree(root), str(top))
    assert is_as_marked(store.layout, str(top))
    assert findings(store) == []
    inode = top.stat().st_ino
    assert view(store, store.trees.tree(root)).path == str(top)
    assert top.stat().st_ino == inode


def written(top: Path) -> None:
    (top / "a/text").chmod(0o644)
    (top / "a/text").write_bytes(b"VERSION 1")


def copied_over(top: Path) -> None:
    """As `cp -a` of another result does: size, mode and time are the same."""
    other = top.parent.parent / "other"
    other.write_bytes(b"VERSION 1")
    os.utime(other, ns=(EPOCH_NS, EPOCH_NS))
    other.chmod(0o444)
    (top / "a/text").unlink()
    shutil.copy2(other, top / "a/text")
    other.unlink()
    os.utime(top / "a", ns=(EPOCH_NS, EPOCH_NS))


def moved_over(top: Path) -> None:
    other = top.parent.parent / "other"
    other.write_bytes(b"VERSION 1")
    os.utime(other, ns=(EPOCH_NS, EPOCH_NS))
    other.chmod(0o444)
    other.rename(top / "a/text")
    os.utime(top / "a", ns=(EPOCH_NS, EPOCH_NS))


def forged(top: Path) -> None:
    written(top)
    (top / "a/text").chmod(0o444)
    os.utime(top / "a/text", ns=(EPOCH_NS, EPOCH_NS))


def added(top: Path) -> None:
    (top / "empty/mine").touch()
    os.utime(top / "empty", ns=(EPOCH_NS, EPOCH_NS))


def removed(top: Path) -> None:
    (top / "a/run").unlink()


def not_to_run(top: Path) -> None:
    (top / "a/run").chmod(0o444)


def turned(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("a/run")


def deep(top: Path) -> None:
    (top / DEEP / "f").write_bytes(b"DEEP")


def a_folder_for_a_file(top: Path) -> None:
    (top / "a/text").unlink()
    (top / "a/text").mkdir()


def replaced(top: Path) -> None:
    shutil.move(top, top.parent / "gone")
    shutil.move(top.parent / "gone", top)
    written(top)


def a_link_for_all(top: Path) -> None:
    kept = top.parent.parent.parent / "tmp/kept"
    top.rename(kept)
    top.symlink_to(kept)


EDITS = [
    written, copied_over, moved_over, forged, added, removed, not_to_run, turned, deep,
    a_folder_for_a_file, replaced, a_link_for_all,
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_noticed_kept_and_no_part_of_the_store(
    store: LocalStore, edit: Callable[[Path], None]
) -> None:
    root = made(store)
    top = Path(view(store, store.trees.tree(root)).path)
    edit(top)
    assert not is_as_marked(store.layout, str(top))
    assert len(findings(store)) == 1
    again = view(store, store.trees.tree(root))
    assert again.path == str(top)
    assert os.path.lexists(again.aside)
    assert again.aside.startswith(store.layout.damaged)
    assert is_copy(store.trees.tree(root), again.path)
    assert findings(store) == []
    assert view(store, store.trees.tree(root)).aside == ""


def test_an_edit_while_a_view_is_compared_is_noticed(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = made(store)
    top = Path(view(store, store.trees.tree(root)).path)
    touched(top)

    def compared(tree: Tree, folder: str) -> bool:
        right = is_copy(tree, folder)
        written(Path(folder))
        return right

    with monkeypatch.context() as context:
        context.setattr(views, "is_copy", compared)
        view(store, store.trees.tree(root))
    assert not is_as_marked(store.layout, str(top))
    assert view(store, store.trees.tree(root)).aside
    assert is_copy(store.trees.tree(root), str(top))


@pytest.mark.parametrize("edit", [written, forged])
def test_an_edit_as_soon_as_a_view_can_be_seen_is_noticed(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], None]
) -> None:
    root = made(store)
    top, rename = Path(store.layout.view(root.hash)), os.rename

    def renamed(one: str, other: str, **at: int) -> None:
        rename(one, other, **at)
        if other == top.name:
            edit(top)

    with monkeypatch.context() as context:
        context.setattr(os, "rename", renamed)
        view(store, store.trees.tree(root))
    assert not is_as_marked(store.layout, str(top))
    assert view(store, store.trees.tree(root)).aside
    assert is_copy(store.trees.tree(root), str(top))


def touched(top: Path) -> None:
    (top / "a/text").touch()


def writable(top: Path) -> None:
    (top / "a/text").chmod(0o644)


def unmarked(top: Path) -> None:
    Path(f"{top}.view").unlink()


@pytest.mark.parametrize("change", [touched, writable, unmarked])
def test_what_has_the_right_content_stays_and_is_believed_again(
    store: LocalStore, change: Callable[[Path], None]
) -> None:
    root = made(store)
    top = Path(view(store, store.trees.tree(root)).path)
    change(top)
    inode = top.stat().st_ino
    assert view(store, store.trees.tree(root)).aside == ""
    assert top.stat().st_ino == inode
    assert is_as_marked(store.layout, str(top))


def test_a_tree_that_was_changed_is_not_shown(store: LocalStore) -> None:
    """Of equal size, mode and time: each file is hashed while it is copied."""
    root = made(store)
    forged(Path(store.mountable.path(root)))
    with pytest.raises(VerificationError, match="a result was changed in the store"):
        view(store, store.trees.tree(root))
    assert not os.path.lexists(store.layout.view(root.hash))
    assert os.listdir(store.layout.tmp) == []


@pytest.mark.parametrize("edit", EDITS)
def test_a_repair_sets_an_edit_aside(store: LocalStore, edit: Callable[[Path], None]) -> None:
    root = made(store)
    keep(store, "x", root)
    edit(Path(view(store, store.trees.tree(root)).path))
    repair(store, lambda _: None)
    assert findings(store) == []
    assert not os.path.lexists(store.layout.view(root.hash))
    assert view(store, store.trees.tree(root)).aside == ""
    assert store.trees.has_tree(root)


@pytest.mark.parametrize("by", ["views", "trees"])
def test_a_view_lives_while_a_link_leads_into_it(
    store: LocalStore, tmp_path: Path, by: str
) -> None:
    root, other = made(store), made(store, b"version 2")
    for name, each in (("one", root), ("two", other)):
        shown = view(store, store.trees.tree(each)).path
        link = tmp_path / name
        link.symlink_to(shown if by == "views" else store.mountable.path(each))
        store.roots.add_root(name, keep(store, name, each), str(link))
    (tmp_path / "two").unlink()
    collect(store, keep_days=0)
    assert os.path.exists(view_of := store.layout.view(root.hash)) == (by == "views")
    assert os.path.exists(f"{view_of}.view") == (by == "views")
    assert store.trees.has_tree(root), "a link of a former version keeps its result"
    assert not os.path.lexists(store.layout.view(other.hash))
    assert findings(store) == []


def test_a_collection_keeps_what_somebody_made_of_a_view(store: LocalStore) -> None:
    root = made(store)
    written(Path(view(store, store.trees.tree(root)).path))
    collect(store, keep_days=0)
    kept = [path.read_bytes() for path in Path(store.layout.damaged).glob("*/views/*/*/a/text")]
    assert kept == [b"VERSION 1"]
    assert not os.path.lexists(store.layout.view(root.hash))


def test_a_copy_may_be_changed_by_its_owner(store: LocalStore, tmp_path: Path) -> None:
    root = made(store)
    (tmp_path / "copy").mkdir()
    at = os.open(tmp_path / "copy", os.O_RDONLY)
    copy_out(store, store.trees.tree(root), at, writable=True)
    os.close(at)
    assert (tmp_path / "copy/a/text").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "copy/a/run").stat().st_mode & 0o777 == 0o755
    assert is_copy(store.trees.tree(root), str(tmp_path / "copy"))


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "nothing", "no folder above"])
def test_what_took_a_files_place_is_not_copied(
    store: LocalStore, tmp_path: Path, kind: str
) -> None:
    """Nor waited for; the refusal names it."""
    root = made(store)
    path = Path(store.mountable.path(root), "a/text")
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("run")
    elif kind == "folder":
        path.mkdir()
    elif kind == "no folder above":
        shutil.rmtree(path.parent)
        path.parent.write_bytes(b"")
    out = tmp_path / "out"
    out.mkdir()
    at = os.open(out, os.O_RDONLY)
    try:
        with pytest.raises(VerificationError) as caught:
            copy_out(store, store.trees.tree(root), at)
    finally:
        os.close(at)
    assert str(caught.value.where).startswith(str(path.parent))
