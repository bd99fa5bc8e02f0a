"""A blob that somebody edited in a tree gets into no other tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.stores.local import LocalStore

HONEST, EDIT = b"honest bytes\n", b"edited bytes\n"
PIECES = {"shared": [HONEST], "adopted": [HONEST[:4], HONEST[4:]]}


def made(store: LocalStore, path: str, pieces: list[bytes], *, executable: bool) -> Path:
    with store.trees.new_tree() as writer:
        writer.file(path, pieces, executable=executable)
        return Path(store.mountable.path(writer.commit().root), path)


def edit(path: Path) -> None:
    """In place: the same inode, size and mode."""
    mode = path.stat().st_mode
    path.chmod(0o755)
    path.write_bytes(EDIT)
    path.chmod(mode)


@pytest.mark.parametrize("way", PIECES)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("then", [False, True])
def test_an_edit_stays_in_its_tree(tmp_path: Path, way: str, *, first: bool, then: bool) -> None:
    """The same content, plain or executable, then has honest bytes, under the blob's name too."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    old = made(store, "bin/x", [HONEST], executable=first)
    edit(old)
    new = made(store, "other/y", PIECES[way], executable=then)
    assert new.read_bytes() == HONEST
    assert old.read_bytes() == EDIT
    assert store.cas.read(Digest.of(HONEST)) == HONEST


@pytest.mark.parametrize("way", PIECES)
def test_what_nobody_edited_is_shared(tmp_path: Path, way: str) -> None:
    store = LocalStore(str(tmp_path / "store"), durable=False)
    old = made(store, "bin/x", [HONEST], executable=True)
    new = made(store, "other/y", PIECES[way], executable=True)
    assert os.path.samefile(old, new)


def test_a_merge_refuses_an_edit(tmp_path: Path) -> None:
    """Where no honest bytes are at hand."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    with store.trees.new_tree() as writer:
        writer.file("x", [HONEST])
        root = writer.commit().root
    store.trees.merge([("before", root)])
    edit(Path(store.mountable.path(root), "x"))
    with pytest.raises(VerificationError):
        store.trees.merge([("after", root)])
