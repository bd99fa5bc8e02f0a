"""What the local store leaves on the disk."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import MissingObject, StoreError, VerificationError
from rvbuild.core.tree import File, Tree
from rvbuild.files.removal import remove_tree
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def add(store: LocalStore) -> tuple[Digest, Path]:
    with store.trees.new_tree() as writer:
        writer.directory("empty")
        writer.file("d/plain", [b"text"])
        writer.file("d/run", [b"text"], executable=True)
        writer.file("d/tool", [b"tool", b" in", b" pieces"], executable=True)
        writer.symlink("link", "d/plain")
        root = writer.commit().root
    return root, Path(store.mountable.path(root))


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):o}"


def blob(store: LocalStore, data: bytes, folder: str = "cas") -> Path:
    name = Digest.of(data).hash
    return Path(store.layout.root, folder, name[:2], name)


def test_the_layout_of_a_tree(store: LocalStore) -> None:
    root, top = add(store)
    assert top == Path(store.layout.root, "trees", root.hash[:2], root.hash)
    assert (top / "d/plain").samefile(blob(store, b"text"))
    assert (top / "d/run").samefile(blob(store, b"text", "exec"))
    assert not blob(store, b"text").samefile(blob(store, b"text", "exec"))
    assert (top / "link").readlink() == Path("d/plain")
    message = store.trees.tree(root).encode()
    assert Path(f"{top}.tree").samefile(blob(store, message))
    assert Path(f"{top}.tree").read_bytes() == message
    assert not list(Path(store.layout.tmp).iterdir())


def test_an_executable_that_nobody_reads_is_stored_once(store: LocalStore) -> None:
    add(store)
    assert blob(store, b"tool in pieces").samefile(blob(store, b"tool in pieces", "exec"))


@pytest.mark.parametrize("lost", [(), ("cas",), ("exec",), ("cas", "exec")])
def test_an_executable_has_both_names_whichever_a_killed_run_made(
    store: LocalStore, lost: tuple[str, ...]
) -> None:
    Path(store.mountable.path(executable_alone(store)) + ".tree").unlink()
    for folder in lost:
        blob(store, b"tool", folder).unlink()
    top = Path(store.mountable.path(executable_alone(store)))
    assert blob(store, b"tool").read_bytes() == b"tool"
    assert (top / "tool").samefile(blob(store, b"tool", "exec"))
    assert mode(top / "tool") == "555"


def executable_alone(store: LocalStore) -> Digest:
    with store.trees.new_tree() as writer:
        writer.file("tool", [b"tool"], executable=True)
        return writer.commit().root


def test_a_plain_file_gets_its_own_blob_when_the_executable_came_first(store: LocalStore) -> None:
    _, top = add(store)
    with store.trees.new_tree() as writer:
        writer.file("data", [b"tool in pieces"])
        plain = Path(store.mountable.path(writer.commit().root))
    assert mode(plain / "data") == "444"
    assert (plain / "data").samefile(blob(store, b"tool in pieces"))
    assert (top / "d/tool").samefile(blob(store, b"tool in pieces", "exec"))


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_modes_and_times_are_the_same_everywhere(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = LocalStore(str(tmp_path / "store"), durable=False)
        root, top = add(store)
        merged = Path(store.mountable.path(store.trees.merge([("a/b", root)]).root))
    finally:
        os.umask(before)
    for above in (top, merged / "a/b"):
        assert mode(above) == mode(above / "d") == mode(above / "empty") == "755"
        assert mode(above / "d/plain") == "444"
        assert mode(above / "d/run") == mode(above / "d/tool") == "555"
    for path in (top, *top.rglob("*"), merged, *merged.rglob("*")):
        assert path.lstat().st_mtime_ns == EPOCH_NS, path
    assert mode(blob(store, store.trees.tree(root).encode())) == "444"
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        assert not path.stat().st_mode & 0o022, path  # nobody else can put anything there


def test_one_content_is_stored_once(store: LocalStore) -> None:
    _, top = add(store)
    with store.trees.new_tree() as writer:
        writer.file("again", [b"text"])
        other = Path(store.mountable.path(writer.commit().root))
    with store.trees.new_tree() as writer:
        writer.file("in-pieces", [b"te", b"xt"])
        third = Path(store.mountable.path(writer.commit().root))
    assert (other / "again").samefile(top / "d/plain")
    assert (third / "in-pieces").samefile(top / "d/plain")


def test_a_blob_that_another_process_named_is_made_durable_too(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes it again may rely on its name: the first may not have synced it yet."""
    blob = store.cas.write(b"named, and not synced")  # as this store syncs nothing
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.add(os.fstat(fd).st_ino))
    LocalStore(store.layout.root).cas.write(b"named, and not synced")
    assert os.stat(os.path.dirname(store.layout.blob(blob.hash))).st_ino in synced


def test_a_damaged_blob_is_not_read(store: LocalStore) -> None:
    digest = store.cas.write(b"text")
    path = blob(store, b"text")
    path.chmod(0o644)
    path.write_bytes(b"tExt")
    with pytest.raises(VerificationError, match="damaged") as caught:
        store.cas.read(digest)
    assert str(caught.value.where) == str(path)


def test_of_many_blobs_the_damaged_one_is_not_read(store: LocalStore) -> None:
    store.cas.write_all([b"before", b"intact"])
    path = blob(store, b"intact")
    path.chmod(0o644)
    path.write_bytes(b"broken")
    some = store.cas.read_each(map(Digest.of, (b"before", b"intact")))
    assert next(some) == b"before"
    with pytest.raises(VerificationError, match="damaged") as caught:
        next(some)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("is_shard", [False, True])
def test_many_blobs_are_read_through_no_link(
    store: LocalStore, tmp_path: Path, *, is_shard: bool
) -> None:
    digest = store.cas.write(b"text")
    path = blob(store, b"text")
    place = path.parent if is_shard else path
    place.rename(tmp_path / "outside")
    place.symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match="a symbolic link"):
        list(store.cas.read_each([digest]))


def test_a_damaged_tree_message_is_not_read(store: LocalStore) -> None:
    root, top = add(store)
    other = store.trees.merge([("x", root)]).root
    shutil.copy(store.mountable.path(other) + ".tree", str(top) + ".new")
    os.replace(str(top) + ".new", str(top) + ".tree")
    with pytest.raises(VerificationError):
        store.trees.tree(root)


def test_a_blob_cut_short_is_replaced_when_its_content_comes_again(store: LocalStore) -> None:
    add(store)
    path = blob(store, b"text")
    path.unlink()
    path.write_bytes(b"te")
    with store.trees.new_tree() as writer:
        writer.file("new", [b"text"])
        writer.file("pieces", [b"te", b"xt"])
        top = Path(store.mountable.path(writer.commit().root))
    assert (top / "new").read_bytes() == (top / "pieces").read_bytes() == b"text"
    assert path.read_bytes() == b"text"


def test_a_folder_without_mark_is_replaced(store: LocalStore) -> None:
    root, top = add(store)
    Path(f"{top}.tree").unlink()
    (top / "d/plain").unlink()
    assert not store.trees.has_tree(root)
    add(store)
    assert store.trees.has_tree(root)
    assert (top / "d/plain").read_bytes() == b"text"
    assert not list(Path(store.layout.tmp).iterdir())


def test_merging_without_a_blob_names_it(store: LocalStore) -> None:
    root, _ = add(store)
    blob(store, b"text").unlink()
    with pytest.raises(StoreError, match="d/plain") as caught:
        store.trees.merge([("x", root)])
    assert str(caught.value.where) == str(blob(store, b"text"))
    assert not list(Path(store.layout.tmp).iterdir())


def test_a_tree_is_assembled_from_blobs_in_either_mode(store: LocalStore) -> None:
    plain, tool = store.cas.write(b"plain"), store.cas.write(b"tool")
    tree = Tree.of({"run": File(tool, executable=True), "d": {"data": File(plain)}})
    store.trees.assemble(tree)
    top = Path(store.mountable.path(tree.root))
    assert mode(top / "run") == "555"
    assert (top / "run").samefile(blob(store, b"tool", "exec"))
    assert (top / "d/data").samefile(blob(store, b"plain"))


def test_a_blob_may_have_more_names_than_the_disk_allows(store: LocalStore, tmp_path: Path) -> None:
    """ext4 allows 65,000 links to a file: the blob is copied, and goes on from there."""
    root, top = add(store)
    path = blob(store, b"text")
    limit = os.pathconf(path, "PC_LINK_MAX")
    if limit > 70_000:
        pytest.skip("a file may have more links here than a test can make")
    (tmp_path / "links").mkdir()
    for number in range(limit - path.stat().st_nlink):
        os.link(path, tmp_path / "links" / str(number))
    merged = Path(store.mountable.path(store.trees.merge([("x", root)]).root))
    assert (merged / "x/d/plain").read_bytes() == b"text"
    assert (merged / "x/d/plain").samefile(path)
    assert not path.samefile(top / "d/plain")

    (tmp_path / "links/0").rename(path)
    with store.trees.new_tree() as writer:
        writer.file("whole", [b"text"])
        other = Path(store.mountable.path(writer.commit().root))
    with store.trees.new_tree() as writer:
        writer.file("pieces", [b"te", b"xt"])
        third = Path(store.mountable.path(writer.commit().root))
    assert (other / "whole").samefile(top / "d/plain"), "the last link that it can have"
    assert (third / "pieces").samefile(path)
    assert not path.samefile(top / "d/plain")
    assert (third / "pieces").read_bytes() == b"text"
    assert mode(path) == "444"


def test_what_cannot_be_a_store_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        LocalStore(str(tmp_path / "file"))


@pytest.mark.parametrize("name", ["s" * 300, "/".join(["s" * 200] * 25)])
def test_a_store_at_a_path_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    """There is nothing to repair."""
    with pytest.raises(StoreError, match="File name too long") as caught:
        LocalStore(str(tmp_path / name))
    assert hint_text(caught.value.hint) == "use a folder with a shorter path with --store"


def test_a_store_moves_with_its_folder(store: LocalStore, tmp_path: Path) -> None:
    root, _ = add(store)
    Path(store.layout.root).rename(tmp_path / "moved")
    moved = LocalStore(str(tmp_path / "moved"))
    assert moved.trees.has_tree(root)
    assert Path(moved.mountable.path(root), "link").read_bytes() == b"text"


def test_removing_follows_no_symlink_and_goes_any_depth(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(tmp_path / "kept")
    here = os.open(top, os.O_RDONLY)
    name = "deep" * 50
    for _ in range(60):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_tree(str(top))
    assert not top.exists()
    assert (tmp_path / "kept/file").exists()


def test_exclusive_waits_for_nobody(store: LocalStore) -> None:
    other = LocalStore(store.layout.root, durable=False)
    busy = pytest.raises(StoreError, match="another rvbuild is using the store")
    with store.locks.shared(), store.locks.shared(), busy, other.locks.exclusive():
        pytest.fail("two in the store at once")
    with other.locks.exclusive():
        pass


def test_what_is_missing_is_named_by_its_path(store: LocalStore) -> None:
    """By whichever way it is read, where nobody can do without it."""
    root, top = add(store)
    mark = Path(f"{top}.tree")
    paths = {blob(store, b"text"): Digest.of(b"text"), mark: root}
    for path in paths:
        path.unlink()

    def looked_at(digest: Digest) -> None:
        with store.cas.view(digest):
            pass

    (of_blob, lost), (of_tree, gone) = paths.items()
    for path, read, digest in (
        (of_blob, store.cas.read, lost),
        (of_blob, looked_at, lost),
        (of_tree, store.trees.tree, gone),
        (of_tree, store.mountable.refuse_changed, gone),
        (of_tree, lambda root: store.trees.merge([("", root)]), gone),
    ):
        with pytest.raises(MissingObject) as caught:
            read(digest)
        assert caught.value.where == str(path)
        assert "store repair" in hint_text(caught.value.hint)
