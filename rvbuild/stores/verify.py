"""Proving that every object of a local store is what its name says.

Knows: what each kind of object must be. Must not know: how to mend it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from attrs import define, field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import NewerRecord, VerificationError
from rvbuild.core.tree import DirectoryNode, File, Node, Symlink, Tree
from rvbuild.files.folder import Inode, WrongKind, WrongMode, inode_of, open_file, open_folder
from rvbuild.stores.failures import decode_failure
from rvbuild.stores.layout import EXECUTABLE, FOLDER, PLAIN, Layout, guarded
from rvbuild.stores.local import LocalStore
from rvbuild.stores.records import read_record
from rvbuild.stores.results import decode_outcome, decode_realisation
from rvbuild.stores.roots import decode_root
from rvbuild.stores.shape import (
    AC,
    CAS,
    EXEC,
    FAILED,
    MARK,
    REALISATIONS,
    ROOTS,
    TREES,
    VIEWS,
    Shard,
    Survey,
    places,
    survey,
)
from rvbuild.stores.views import is_copy

_CHUNK = 1 << 18


@frozen(kw_only=True)
class Finding:
    """An object that is not what its name says, or that lacks something.

    ``kind`` is ``damaged`` or ``missing``; ``path`` is absolute. ``mode`` is what its mode must
    be, if nothing else is wrong; ``source`` a file with the content of a missing blob. ``odd``
    says that something of another kind, or of no name of the store's, is in the place.
    """

    kind: str
    path: str
    problem: str
    mode: int = 0
    source: str = ""
    odd: bool = False


Report = Callable[[Finding], None]


@define(kw_only=True)
class Verified:
    """What was looked at, and how many findings there were.

    ``newer`` records are sound, and only a newer rvbuild knows what they refer to.
    """

    blobs: int = 0
    bytes: int = 0
    trees: int = 0
    results: int = 0
    damaged: int = 0
    missing: int = 0
    newer: int = 0


@define(kw_only=True)
class _Walk:
    """One verification.

    ``inodes`` maps what was hashed to its hash; ``sizes`` the good blobs. ``met`` are the files of
    the tree that is looked at.
    """

    layout: Layout
    report: Report
    inodes: dict[Inode, str]
    refuse_newer: bool = False
    done: Verified = field(factory=Verified)
    counted: set[Inode] = field(factory=set)
    executables: set[Inode] = field(factory=set)
    there: Survey = field(default=Survey({}))
    sizes: dict[str, int] = field(factory=dict)
    present: set[str] = field(factory=set)
    met: set[Inode] = field(factory=set)
    trees: dict[str, Tree] = field(factory=dict)

    def odd(self, error: WrongKind) -> None:
        if isinstance(error, WrongMode):
            self.damaged(error.path, error.kind, error.mode)
            return
        self.done.damaged += 1
        self.report(Finding(kind="damaged", path=error.path, problem=error.problem, odd=True))

    def damaged(self, path: str, problem: str, mode: int = 0) -> None:
        self.done.damaged += 1
        self.report(Finding(kind="damaged", path=path, problem=problem, mode=mode))

    def newer(self, path: str, error: NewerRecord) -> None:
        if self.refuse_newer:
            error.where = path
            raise error
        self.done.newer += 1

    def missing(self, path: str, problem: str, source: str = "") -> None:
        self.done.missing += 1
        self.report(Finding(kind="missing", path=path, problem=problem, source=source))


def verify(store: LocalStore, report: Report) -> Verified:
    """Hash every blob, compare every tree with its message, decode every result.

    ``report`` is called for each finding as it is made. Uses every core for hashing.

    Raises:
        StoreError: a folder of the store could not be read.
    """
    with store.looking(), guarded(store.layout.root, "read"):
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
    walk = _Walk(layout=layout, report=report, inodes=inodes, refuse_newer=refuse_newer)
    # Builds may go on meanwhile: what refers is listed before what it refers to.
    walk.there = survey(layout, walk.odd)
    _blobs(walk)
    for name, path in walk.there.named(TREES):
        if name.endswith(MARK):
            walk.done.trees += 1
            _tree(walk, name.removesuffix(MARK), path)
    for check, accelerated, name, path in _listed_results(walk.there):
        walk.done.results += 1
        _record(walk, partial(check, accelerated=accelerated), name, path)
    for name, path in walk.there.named(FAILED):
        _record(walk, _failure, name, path)
    for name, path in walk.there.named(ROOTS):
        _record(walk, _root, name, path)
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


def _blobs(walk: _Walk) -> None:
    for item in _hash_all(walk, EXEC):
        walk.executables.add(inode_of(item.there))
        _blob(walk, item, {EXECUTABLE})
    for item in _hash_all(walk, CAS):
        walk.present.add(item.name)
        _blob(walk, item, {PLAIN, EXECUTABLE})


def _hash_all(walk: _Walk, top: str) -> Iterator[_Hashed]:
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
    known = inodes.get(inode_of(there))
    found = _hash_file(name, at, buffer) if known is None else known
    return _Hashed(name, f"{shard.path}/{name}", found, there)


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


def _blob(walk: _Walk, item: _Hashed, modes: set[int]) -> None:
    walk.done.blobs += 1
    if inode_of(item.there) not in walk.counted:
        walk.counted.add(inode_of(item.there))
        walk.done.bytes += item.there.st_size
        if len(item.found) == 64:  # else it may be read once its mode is right
            walk.inodes[inode_of(item.there)] = item.found
    is_read = len(item.found) == 64 or stat.S_IMODE(item.there.st_mode) in modes
    if item.found != item.name and is_read:
        kind = "its content is not what its name says"
        walk.damaged(item.path, kind if len(item.found) == 64 else item.found)
    elif stat.S_IMODE(item.there.st_mode) not in modes:
        mode = EXECUTABLE if inode_of(item.there) in walk.executables else PLAIN
        walk.damaged(item.path, f"mode {stat.S_IMODE(item.there.st_mode):o}", mode)
    else:
        walk.sizes[item.name] = item.there.st_size


def _tree(walk: _Walk, name: str, mark: str) -> None:
    try:
        data = read_record(walk.layout, mark)
        tree = Tree.decode(data)
    except (OSError, VerificationError) as error:
        walk.damaged(mark, _why(error))
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
        mode = _mode_at(walk.layout, top)
        if stat.S_ISDIR(mode) and stat.S_IMODE(mode) != FOLDER:
            walk.damaged(top, f"mode {stat.S_IMODE(mode):o} instead of {FOLDER:o}", FOLDER)
            return
        with walk.layout.folder(top) as at:
            _compare(walk, tree, top, at)
    except FileNotFoundError:
        walk.missing(top, "the folder of a registered tree")
    except WrongKind:  # the survey told of it
        return


def _mode_at(layout: Layout, path: str) -> int:
    with layout.above(path) as (at, name):
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_mode


def _compare(walk: _Walk, tree: Tree, top: str, at: int) -> None:
    """Compare the tree with the open folder ``at``; enters only what is a folder and no link."""
    walk.met.clear()
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
    walk: _Walk, above: str, inner: str, at: int, expected: Mapping[str, Node]
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
            elif isinstance(node, File) and _is_met(walk, there[name]):
                walk.damaged(path, "one file with another path of its tree")
            else:
                yield name, node, path
    finally:
        os.close(folder)


def _difference(walk: _Walk, entry: os.DirEntry[str], at: int, node: Node) -> str | None:
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


def _is_met(walk: _Walk, entry: os.DirEntry[str]) -> bool:
    """Whether another path of the tree is the same file."""
    inode = inode_of(entry.stat(follow_symlinks=False))
    again = inode in walk.met
    walk.met.add(inode)
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


class _Check(Protocol):
    def __call__(
        self, walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool
    ) -> None: ...


def _listed_results(there: Survey) -> Iterator[tuple[_Check, bool, str, str]]:
    checks: tuple[tuple[str, _Check], ...] = ((REALISATIONS, _realisation), (AC, _outcome))
    for kind, check in checks:
        for top, accelerated in places(kind):
            for name, path in there.named(top):
                yield check, accelerated, name, path


def _record(
    walk: _Walk, check: Callable[[_Walk, str, str, bytes], None], name: str, path: str
) -> None:
    try:
        mode = stat.S_IMODE(_mode_at(walk.layout, path))
        if mode != PLAIN:
            walk.damaged(path, f"mode {mode:o} instead of {PLAIN:o}", PLAIN)
            return  # what is in it is looked at when it can be read
        check(walk, name, path, read_record(walk.layout, path))
    except FileNotFoundError:  # replaced or forgotten meanwhile
        return
    except NewerRecord as error:
        walk.newer(path, error)
    except (OSError, VerificationError) as error:
        walk.damaged(path, _why(error))


def _why(error: OSError | VerificationError) -> str:
    return error.message if isinstance(error, VerificationError) else error.strerror or str(error)


def _realisation(walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    found = decode_realisation(data, name, accelerated=accelerated)
    tree = walk.trees.get(found.output.hash)
    if tree is None:
        walk.missing(path, f"its output {found.output} is not in the store")
    elif tree.root != found.output:
        walk.damaged(path, "its output has another size")
    _referred(walk, path, found.key, "derivation")
    _referred(walk, path, found.log, "log")
    if found.action is not None and found.action not in walk.there.records(AC):
        walk.missing(path, f"its action {found.action} is not in the store")


def _referred(walk: _Walk, path: str, blob: Digest | None, what: str) -> None:
    if blob is not None and blob.hash not in walk.present:
        walk.missing(path, f"its {what} {blob} is not in the store")
    elif blob is not None and walk.sizes.get(blob.hash, blob.size) != blob.size:
        walk.damaged(path, f"its {what} has another size")


def _failure(walk: _Walk, name: str, path: str, data: bytes) -> None:
    _referred(walk, path, decode_failure(data, name), "log")


def _outcome(walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    del accelerated  # an outcome does not say whether it is
    found = decode_outcome(data, name)
    _referred(walk, path, found.log, "log")
    _referred(walk, path, found.tree, "Tree message")
    if found.output is None:
        return
    tree = walk.trees.get(found.output.hash)
    if tree is None:
        walk.missing(path, f"its output {found.output} is not in the store")
    elif tree.root != found.output or Digest.of(tree.encode()) != found.tree:
        walk.damaged(path, "its output and its Tree message do not fit")


def _root(walk: _Walk, name: str, path: str, data: bytes) -> None:
    root = decode_root(data, name)
    if root.derivation not in walk.there.records(REALISATIONS):
        walk.missing(path, f"its derivation {root.derivation} has no realisation")
