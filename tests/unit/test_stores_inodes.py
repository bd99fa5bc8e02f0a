"""No two paths of a tree are one file, however the tree came to be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.digest import Digest
from rvbuild.core.tree import File
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.verify import Finding, verify

SMALL, LARGE = b"a licence\n", b"much\n" * 10_000
FILES = {
    "a": SMALL, "d/a": SMALL, "d/b": b"", "e": b"", "large": LARGE, "d/large": LARGE,
    "bin/a": SMALL, "bin/b": SMALL, "bin/large": LARGE, "bin/e": b"",
}  # fmt: skip


def store_at(folder: Path) -> LocalStore:
    return LocalStore(str(folder / "store"), durable=False)


def fetched(store: LocalStore, files: Mapping[str, bytes], pieces: int = 1) -> Digest:
    with store.trees.new_tree() as writer:
        for path, data in files.items():
            cut = len(data) // pieces
            chunks = [data] if pieces == 1 else [data[:cut], data[cut:]]
            writer.file(path, chunks, executable=path.startswith("bin/"))
        return writer.commit().root


def in_pieces(store: LocalStore) -> Digest:
    return fetched(store, FILES, pieces=2)


def whole(store: LocalStore) -> Digest:
    return fetched(store, FILES)


def known_before(store: LocalStore) -> Digest:
    fetched(store, {"x": SMALL, "bin/x": SMALL, "y": b"", "bin/y": LARGE})
    return fetched(store, FILES, pieces=2)


def hard_linked(store: LocalStore) -> Digest:
    """As an archive says it, with hard links."""
    with store.trees.new_tree() as writer:
        seen: dict[tuple[bytes, bool], str] = {}
        for path, data in FILES.items():
            executable = path.startswith("bin/")
            if of := seen.get((data, executable)):
                writer.copy(path, of)
            else:
                writer.file(path, [data], executable=executable)
                seen[data, executable] = path
        return writer.commit().root


def captured(store: LocalStore) -> Digest:
    """As a step left it, with hard links."""
    folder = Path(store.layout.root).parent / "left"
    seen: dict[tuple[bytes, bool], Path] = {}
    for name, data in FILES.items():
        path, executable = folder / name, name.startswith("bin/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if of := seen.get((data, executable)):
            os.link(of, path)
        else:
            path.write_bytes(data)
            path.chmod(0o755 if executable else 0o644)
            seen[data, executable] = path
    return store.capturer.capture(str(folder), lambda *_: None).root


def merged(store: LocalStore) -> Digest:
    """Parts of which each has every content once."""
    one = fetched(store, {"a": SMALL, "b": b"", "large": LARGE, "bin/a": SMALL, "bin/l": LARGE})
    return store.trees.merge([("x", one), ("y", one), ("z/x", one)]).root


def collected_and_made_again(store: LocalStore) -> Digest:
    root = whole(store)
    tree, path = store.trees.tree(root), store.mountable.path(root)
    os.unlink(f"{path}.tree")
    shutil.rmtree(path)
    store.trees.assemble(tree)
    return root


WAYS: list[Callable[[LocalStore], Digest]] = [
    whole, in_pieces, known_before, hard_linked, captured, merged, collected_and_made_again,
]  # fmt: skip


def files(store: LocalStore, root: Digest) -> Iterator[tuple[Path, File]]:
    for path, node in store.trees.tree(root).walk():
        if isinstance(node, File):
            yield Path(store.mountable.path(root), path), node


def wrong(store: LocalStore) -> list[Finding]:
    found: list[Finding] = []
    verify(store, found.append)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_two_paths_of_a_tree_are_one_file(
    tmp_path: Path, way: Callable[[LocalStore], Digest]
) -> None:
    store = store_at(tmp_path)
    root = way(store)
    inodes = [path.stat().st_ino for path, _ in files(store, root)]
    assert len(inodes) > len({node for _, node in files(store, root)}), "equal files are in it"
    assert len(inodes) == len(set(inodes))
    assert wrong(store) == []


@pytest.mark.parametrize("way", WAYS)
def test_one_of_them_is_the_blob(tmp_path: Path, way: Callable[[LocalStore], Digest]) -> None:
    """A tree takes no more of the disk than it must."""
    store = store_at(tmp_path)
    blobs: dict[File, int] = {}
    for path, node in files(store, way(store)):
        blob = store.layout.blob(node.digest.hash, executable=node.executable)
        blobs[node] = blobs.get(node, 0) + path.samefile(blob)
    assert set(blobs.values()) == {1}


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), max_size=12))
def test_whatever_is_written_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, bool, bool]]
) -> None:
    store = store_at(tmp_path_factory.mktemp("drawn"))
    with store.trees.new_tree() as writer:
        for number, (content, executable, is_whole) in enumerate(drawn):
            data = SMALL * content
            chunks = [data] if is_whole else [data[:3], data[3:]]
            writer.file(f"d{number % 2}/{number}", chunks, executable=executable)
        one = writer.commit().root
    both = store.trees.merge([("p", one), ("q", one)]).root
    for root in (one, both):
        inodes = [path.stat().st_ino for path, _ in files(store, root)]
        assert len(inodes) == len(set(inodes))
    assert wrong(store) == []


def test_verification_names_one_file_with_two_paths_and_repair_drops_the_tree(
    tmp_path: Path,
) -> None:
    """As a program leaves it that makes hard links of equal files."""
    store = store_at(tmp_path)
    root = whole(store)
    top = Path(store.mountable.path(root))
    (top / "d/a").unlink()
    os.link(top / "a", top / "d/a")
    (found,) = wrong(store)
    assert found.problem == "one file with another path of its tree"
    told: list[Repair] = []
    repair(store, told.append)
    assert [one.path for one in told if one.done == "dropped"] == [str(top)]
    assert wrong(store) == []
    assert whole(store) == root
    assert not (top / "a").samefile(top / "d/a")


def test_a_damaged_blob_is_not_copied(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    one = fetched(store, {"a": LARGE})
    path = Path(store.mountable.path(one), "a")
    path.chmod(0o644)
    path.write_bytes(b"other" + LARGE[5:])
    path.chmod(0o444)
    os.utime(path, (315_532_800, 315_532_800))
    with pytest.raises(Exception, match="a blob of the store is damaged"):
        store.trees.merge([("x", one), ("y", one)])
