"""Proving that every object of a local store is what its name says.

Knows: what each kind of object must be. Must not know: how to mend it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import DirectoryNode, File, Node, Symlink, Tree
from rvbuild.files.folder import Inode, WrongKind, inode_of, open_file, open_folder
from rvbuild.stores.findings import Finding, Report, Verified, Walk, mode_at, reason
from rvbuild.stores.layout import EXECUTABLE, FOLDER, PLAIN, Layout, guarded
from rvbuild.stores.local import LocalStore
from rvbuild.stores.record_checks import check_records
from rvbuild.stores.records import read_record
from rvbuild.stores.shape import (
    CAS,
    EXEC,
    MARK,
    TREES,
    VIEWS,
    Shard,
    survey,
)
from rvbuild.stores.views import is_copy

__all__ = ["Finding", "Report", "Verified", "examine", "verify"]

_CHUNK = 1 << 18


def verify(store: LocalStore, report: Report) -> Verified:
    """Hash every blob, compare every tree with its message, decode every result.

    ``report`` is called for each finding as it is made. Uses every core for hashing.

    Raises:
        StoreError: a folder of the store could not be read.
    """
    with store.locks.looking(), guarded(store.layout.root, "read"):
        return examine(store.layout, report, {})


def examine(
    layout: Layout, report: Report, inodes: dict[Inode, str], *, refuse_newer: bool = False
) -> Verified:
    """What ``verify`` does, for who holds the store.

    Args:
        layout: The store's.
        report: Called for each finding.
        inodes: The hashes of files that have been hashed; grows.
        refuse_newer: Whether a record that only a newer rvbuild reads is an error.

    Raises:
        NewerRecord: there is one, and it is an error.
    """
    walk = Walk(layout=layout, report=report, inodes=inodes, refuse_newer=refuse_newer)
    # Builds may go on meanwhile: what refers is listed before what it refers to.
    walk.there = survey(layout, walk.odd)
    _blobs(walk)
    for name, path in walk.there.named(TREES):
        if name.endswith(MARK):
            walk.done.trees += 1
            _tree(walk, name.removesuffix(MARK), path)
    check_records(walk)
    for name, path in walk.there.named(VIEWS):
        tree = walk.trees.get(name)  # without it nobody can tell; marks are no views
        if tree is not None and not is_copy(tree, path):
            walk.damaged(path, "somebody changed this result; no build reads it here")
    return walk.done


@frozen
class _Hashed:
    name: str
    path: str
    found: str
    there: os.stat_result
    inode: Inode


def _blobs(walk: Walk) -> None:
    for item in _hash_all(walk, EXEC):
        walk.executables.add(item.inode)
        _blob(walk, item, {EXECUTABLE})
    for item in _hash_all(walk, CAS):
        walk.present.add(item.name)
        _blob(walk, item, {PLAIN, EXECUTABLE})


def _hash_all(walk: Walk, top: str) -> Iterator[_Hashed]:
    def hashed(shard: Shard) -> list[_Hashed]:
        if not shard.names:  # or nobody may look into it, as the walk told
            return []
        buffer = memoryview(bytearray(_CHUNK))
        with walk.layout.folder(shard.path) as at:
            return [_hash(shard, name, at, buffer, walk.inodes) for name in shard.names]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for batch in pool.map(hashed, walk.there.shards[top]):
            yield from batch


def _hash(
    shard: Shard, name: str, at: int, buffer: memoryview, inodes: dict[Inode, str]
) -> _Hashed:
    there = os.stat(name, dir_fd=at, follow_symlinks=False)
    inode = inode_of(there)
    known = inodes.get(inode)
    found = _hash_file(name, at, buffer) if known is None else known
    return _Hashed(name, f"{shard.path}/{name}", found, there, inode)


def _hash_file(name: str, at: int, buffer: memoryview) -> str:
    """The hash, or why there is none: then it equals no name."""
    try:
        fd = open_file(name, at)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    hasher = hashlib.sha256()
    try:
        while count := os.readv(fd, [buffer]):
            hasher.update(buffer[:count])
    except OSError as error:
        return f"unreadable: {error.strerror}"
    finally:
        os.close(fd)
    return hasher.hexdigest()


def _blob(walk: Walk, item: _Hashed, modes: set[int]) -> None:
    if item.inode not in walk.counted:  # an executable has a second name
        walk.counted.add(item.inode)
        walk.done.blobs += 1
        walk.done.bytes += item.there.st_size
        if len(item.found) == 64:  # else it may be read once its mode is right
            walk.inodes[item.inode] = item.found
    is_read = len(item.found) == 64 or stat.S_IMODE(item.there.st_mode) in modes
    if item.found != item.name and is_read:
        kind = "its content is not what its name says"
        walk.damaged(item.path, kind if len(item.found) == 64 else item.found)
    elif stat.S_IMODE(item.there.st_mode) not in modes:
        mode = EXECUTABLE if item.inode in walk.executables else PLAIN
        walk.damaged(item.path, f"mode {stat.S_IMODE(item.there.st_mode):o}", mode)
    else:
        walk.sizes[item.name] = item.there.st_size


def _tree(walk: Walk, name: str, mark: str) -> None:
    try:
        data = read_record(walk.layout, mark)
        tree = Tree.decode(data)
    except (OSError, VerificationError) as error:
        walk.damaged(mark, reason(error))
        return
    if tree.root.hash != name:
        walk.damaged(mark, "the root of the Tree message has another digest")
        return
    if tree.encode() != data:  # other bytes can mean the same, and then have no blob
        walk.damaged(mark, "not the bytes that rvbuild writes for this tree")
        return
    walk.trees[name] = tree
    message = Digest.of(data)
    if message.hash not in walk.present:
        walk.missing(walk.layout.blob(message.hash), f"the Tree message of {name}", mark)
    top = mark.removesuffix(MARK)
    try:
        mode = mode_at(walk.layout, top)
        if stat.S_ISDIR(mode) and stat.S_IMODE(mode) != FOLDER:
            walk.damaged(top, f"mode {stat.S_IMODE(mode):o} instead of {FOLDER:o}", FOLDER)
            return
        with walk.layout.folder(top) as at:
            _compare(walk, tree, top, at)
    except FileNotFoundError:
        walk.missing(top, "the folder of a registered tree")
    except WrongKind:  # the survey told of it
        return


def _compare(walk: Walk, tree: Tree, top: str, at: int) -> None:
    """Compare the tree with the open folder ``at``; enters only what is a folder and no link."""
    walk.inodes_of_tree.clear()
    stack = [("", tree.root)]
    while stack:
        inner, digest = stack.pop()
        expected = tree.directories[digest].entries
        for name, node, path in _matched(walk, f"{top}/{inner}", inner, at, expected):
            if isinstance(node, DirectoryNode):
                stack.append((f"{inner}{name}/", node.digest))
            elif isinstance(node, File) and node.digest.hash not in walk.present:
                walk.missing(walk.layout.blob(node.digest.hash), f"the blob of {path}", path)


def _matched(
    walk: Walk, above: str, inner: str, at: int, expected: Mapping[str, Node]
) -> Iterator[tuple[str, Node, str]]:
    """What is in one folder of a tree as it must be; of all else the walk tells."""
    folder = open_folder(inner or ".", at)
    try:
        with os.scandir(folder) as found:
            there = {entry.name: entry for entry in found}
        for name in sorted(there.keys() - expected.keys()):
            walk.damaged(f"{above}{name}", "not in the tree's message")
        for name, node in expected.items():
            path = f"{above}{name}"
            if name not in there:
                walk.missing(path, "in the tree's message, and not on disk")
            elif problem := _difference(walk, there[name], folder, node):
                walk.damaged(path, problem)
            elif problem := _wrong_mode(there[name], node):
                walk.damaged(path, problem, _mode(node))
            elif isinstance(node, File) and _is_second_path(walk, there[name]):
                walk.damaged(path, "one file with another path of its tree")
            else:
                yield name, node, path
    finally:
        os.close(folder)


def _difference(walk: Walk, entry: os.DirEntry[str], at: int, node: Node) -> str | None:
    if isinstance(node, DirectoryNode):
        return None if entry.is_dir(follow_symlinks=False) else "not a folder"
    if isinstance(node, Symlink):
        same = entry.is_symlink() and os.readlink(entry.name, dir_fd=at) == node.target
        return None if same else f"not a symlink to {node.target!r}"
    if not entry.is_file(follow_symlinks=False):
        return "not a regular file"
    there = entry.stat(follow_symlinks=False)
    found = walk.inodes.get(inode_of(there))
    if found is None:
        found = _hash_file(entry.name, at, memoryview(bytearray(_CHUNK)))
        if len(found) != 64:
            return None if _wrong_mode(entry, node) else found
        walk.inodes[inode_of(there)] = found
    return None if found == node.digest.hash else "its content is not what its tree says"


def _is_second_path(walk: Walk, entry: os.DirEntry[str]) -> bool:
    """Whether another path of the tree is the same file."""
    inode = inode_of(entry.stat(follow_symlinks=False))
    again = inode in walk.inodes_of_tree
    walk.inodes_of_tree.add(inode)
    return again


def _wrong_mode(entry: os.DirEntry[str], node: Node) -> str | None:
    found = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
    if isinstance(node, Symlink) or found == _mode(node):
        return None
    return f"mode {found:o} instead of {_mode(node):o}"


def _mode(node: Node) -> int:
    """What the store gives: what a tree says, and no more."""
    if isinstance(node, DirectoryNode):
        return FOLDER
    return EXECUTABLE if isinstance(node, File) and node.executable else PLAIN
