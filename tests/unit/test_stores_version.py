"""A store says its version; one of another version is an error, and not one byte of it changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from former_stores import FormerStore

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import StoreError
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import repair
from rvbuild.stores.verify import verify


def everything(root: Path) -> dict[str, tuple[int, ...]]:
    """All that a write would change."""
    found = {}
    for path in (root, *root.rglob("*")):
        there = path.lstat()
        found[str(path)] = (there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns)
    return found


def test_a_new_store_has_a_version(tmp_path: Path) -> None:
    LocalStore(str(tmp_path / "store"), durable=False)
    path = tmp_path / "store/version"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"2\n", 0o444)
    before = everything(tmp_path / "store")
    LocalStore(str(tmp_path / "store"), durable=False)
    assert everything(tmp_path / "store") == before


@pytest.mark.parametrize(
    "names", [(), ("README.md", "keys"), ("cas", "exec"), ("cas", "locks/store", "tmp/left")]
)
def test_what_is_no_store_yet_becomes_one(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The last are what a run left that was killed at its beginning."""
    for name in names:
        (tmp_path / "store" / name).mkdir(parents=True)
    store = LocalStore(str(tmp_path / "store"), durable=False)
    store.cas.write(b"text")
    assert (tmp_path / "store/version").read_bytes() == b"2\n"


def former(root: Path) -> None:
    store = FormerStore.at(root)
    store.realise("a" * 64, store.tree({"file": b"text"}))


def only_inputs(root: Path) -> None:
    (FormerStore.at(root).root / "inputs/ab").mkdir()


def numbered(text: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        LocalStore(str(root), durable=False).cas.write(b"text")
        (root / "version").unlink()
        (root / "version").write_text(text)

    return make


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (former, "an earlier rvbuild made this store", "rvbuild store import"),
        (only_inputs, "an earlier rvbuild made this store", "rvbuild store import"),
        (numbered("1\n"), "an earlier rvbuild made this store", "rvbuild store import"),
        (numbered("3\n"), "a newer rvbuild made this store (version 3", "use that rvbuild"),
        (numbered(""), "the store's version is damaged", "echo 2 >"),
        (numbered("2"), "the store's version is damaged", "echo 2 >"),
        (numbered("two\n"), "the store's version is damaged", "echo 2 >"),
        (numbered("0\n"), "the store's version is damaged", "echo 2 >"),
        (numbered("9" * 10_000), "the store's version is damaged", "echo 2 >"),
    ],
)
def test_another_version_is_not_touched(
    tmp_path: Path, make: Callable[[Path], None], message: str, hint: str
) -> None:
    root = tmp_path / "my store"
    make(root)
    before = everything(root)
    with pytest.raises(StoreError) as refused:
        LocalStore(str(root), durable=False)
    assert message in refused.value.message
    assert hint in hint_text(refused.value.hint)
    assert str(root) in str(refused.value.where)
    assert everything(root) == before


def test_every_flipped_bit_of_the_version_is_told(tmp_path: Path) -> None:
    LocalStore(str(tmp_path / "store"), durable=False)
    path = tmp_path / "store/version"
    good = path.read_bytes()
    path.chmod(0o644)
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        with pytest.raises(StoreError):
            LocalStore(str(tmp_path / "store"), durable=False)
    path.write_bytes(good)
    LocalStore(str(tmp_path / "store"), durable=False)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("cas")])
def test_something_else_in_the_place_of_the_version(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    LocalStore(str(tmp_path / "store"), durable=False)
    path = tmp_path / "store/version"
    path.unlink()
    make(path)
    with pytest.raises(StoreError, match="the store is damaged") as refused:
        LocalStore(str(tmp_path / "store"), durable=False)
    assert refused.value.where == str(path)


def test_the_mode_of_the_version_is_given_back(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "store"), durable=False)
    path = tmp_path / "store/version"
    path.chmod(0o666)
    found: list[object] = []
    verify(store, found.append)
    assert len(found) == 1
    repair(store, lambda _: None)
    assert path.stat().st_mode & 0o777 == 0o444
