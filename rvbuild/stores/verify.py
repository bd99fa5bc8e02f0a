"""Proving that every object of a local store is what its name says.

Knows: what each kind of object must be. Must not know: how to mend it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from attrs import define, field, frozen

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import File, Folder, Node, Symlink, Tree
from rvbuild.stores.layout import EXECUTABLE, PLAIN, Layout, guarded
from rvbuild.stores.local import LocalStore
from rvbuild.stores.results import AC, REALISATIONS, decode_realisation
from rvbuild.stores.roots import decode_root, root_file

_CHUNK = 1 << 18
_BATCH = 64


@frozen(kw_only=True)
class Finding:
    """An object that is not what its name says, or that lacks something.

    ``kind`` is ``damaged`` or ``missing``; ``path`` is absolute. ``mode`` is what its mode must
    be, if nothing else is wrong; ``source`` a file with the content of a missing blob.
    """

    kind: str
    path: str
    problem: str
    mode: int = 0
    source: str = ""


Report = Callable[[Finding], None]


@define(kw_only=True)
class Verified:
    """What was looked at, and how many findings there were."""

    blobs: int = 0
    bytes: int = 0
    trees: int = 0
    results: int = 0
    damaged: int = 0
    missing: int = 0


@define(kw_only=True)
class _Walk:
    """One verification. ``inodes`` maps what was hashed to its hash; ``sizes`` the good blobs."""

    layout: Layout
    report: Report
    inodes: dict[int, str]
    done: Verified = field(factory=Verified)
    counted: set[int] = field(factory=set)
    sizes: dict[str, int] = field(factory=dict)
    present: set[str] = field(factory=set)
    trees: dict[str, Tree] = field(factory=dict)

    def damaged(self, path: str, problem: str, mode: int = 0) -> None:
        self.done.damaged += 1
        self.report(Finding(kind="damaged", path=path, problem=problem, mode=mode))

    def missing(self, path: str, problem: str, source: str = "") -> None:
        self.done.missing += 1
        self.report(Finding(kind="missing", path=path, problem=problem, source=source))


def verify(store: LocalStore, report: Report) -> Verified:
    """Hash every blob, compare every tree with its message, decode every result.

    ``report`` is called for each finding as it is made. Uses every core for hashing.

    Raises:
        StoreError: a folder of the store could not be read.
    """
    with store.shared(), guarded(store.layout.root, "read"):
        return examine(store.layout, report, {})


def examine(layout: Layout, report: Report, inodes: dict[int, str]) -> Verified:
    """What ``verify`` does, for who holds the store.

    Args:
        layout: The store's.
        report: Called for each finding.
        inodes: The hashes of files that have been hashed; grows.
    """
    walk = _Walk(layout=layout, report=report, inodes=inodes)
    # Builds may go on meanwhile: what refers is listed before what it refers to.
    roots = sorted(os.listdir(layout.roots))
    results = list(_listed_results(layout))
    marks = [item for item in named(layout.trees) if item[0].endswith(".tree")]
    _blobs(walk)
    for name, path in marks:
        walk.done.trees += 1
        _tree(walk, name.removesuffix(".tree"), path)
    for check, accelerated, name, path in results:
        walk.done.results += 1
        try:
            with open(path, "rb") as file:
                check(walk, name, path, file.read(), accelerated=accelerated)
        except (OSError, VerificationError) as error:
            walk.damaged(path, str(error))
    for name in roots:
        _root(walk, name, f"{layout.roots}/{name}")
    return walk.done


def named(folder: str) -> Iterator[tuple[str, str]]:
    """Name and path of each entry two levels below ``folder``, sorted by name."""
    if os.path.isdir(folder):
        for shard in sorted(os.listdir(folder)):
            for name in sorted(os.listdir(f"{folder}/{shard}")):
                yield name, f"{folder}/{shard}/{name}"


@frozen
class _Hashed:
    name: str
    path: str
    found: str
    there: os.stat_result


def _blobs(walk: _Walk) -> None:
    for item in _hash_all(named(walk.layout.exec), walk.inodes):
        _blob(walk, item, {EXECUTABLE})
    for item in _hash_all(named(walk.layout.cas), walk.inodes):
        walk.present.add(item.name)
        _blob(walk, item, {PLAIN, EXECUTABLE})


def _hash_all(objects: Iterator[tuple[str, str]], inodes: dict[int, str]) -> Iterator[_Hashed]:
    def hashed(batch: list[tuple[str, str]]) -> list[_Hashed]:
        buffer = memoryview(bytearray(_CHUNK))
        return [_hash(name, path, buffer, inodes) for name, path in batch]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for batch in pool.map(hashed, _batches(objects)):
            yield from batch


def _batches(objects: Iterator[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    batch = []
    for item in objects:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _hash(name: str, path: str, buffer: memoryview, inodes: dict[int, str]) -> _Hashed:
    there = os.stat(path, follow_symlinks=False)
    known = inodes.get(there.st_ino)
    if known is not None:
        return _Hashed(name, path, known, there)
    if not stat.S_ISREG(there.st_mode):
        return _Hashed(name, path, "not a regular file", there)
    return _Hashed(name, path, _hash_file(path, buffer), there)


def _hash_file(path: str, buffer: memoryview) -> str:
    """The hash, or why there is none: then it equals no name."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
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
    if item.there.st_ino not in walk.counted:
        walk.counted.add(item.there.st_ino)
        walk.done.bytes += item.there.st_size
        walk.inodes[item.there.st_ino] = item.found
    if item.found != item.name:
        kind = "its content is not what its name says"
        walk.damaged(item.path, kind if len(item.found) == 64 else item.found)
    elif stat.S_IMODE(item.there.st_mode) not in modes:
        twin = walk.layout.blob(item.name, executable=True)
        mode = EXECUTABLE if os.path.exists(twin) and os.path.samefile(item.path, twin) else PLAIN
        walk.damaged(item.path, f"mode {stat.S_IMODE(item.there.st_mode):o}", mode)
    else:
        walk.sizes[item.name] = item.there.st_size


def _tree(walk: _Walk, name: str, mark: str) -> None:
    try:
        with open(mark, "rb") as file:
            data = file.read()
        tree = Tree.decode(data)
    except (OSError, VerificationError) as error:
        walk.damaged(mark, str(error))
        return
    if tree.root.hash != name:
        walk.damaged(mark, "the root of the Tree message has another digest")
        return
    walk.trees[name] = tree
    message = Digest.of(data)
    if message.hash not in walk.present:
        walk.missing(walk.layout.blob(message.hash), f"the Tree message of {name}", mark)
    top = mark.removesuffix(".tree")
    if not os.path.lexists(top):
        walk.missing(top, "the folder of a registered tree")
    elif os.path.islink(top) or not os.path.isdir(top):  # what a link shows is not the store's
        walk.damaged(top, "not a folder")
    else:
        _compare(walk, tree, top)


def _compare(walk: _Walk, tree: Tree, top: str) -> None:
    stack = [(top, tree.root)]
    while stack:
        folder, digest = stack.pop()
        expected = tree.directories[digest].entries
        with os.scandir(folder) as found:
            there = {entry.name: entry for entry in found}
        for name in sorted(there.keys() - expected.keys()):
            walk.damaged(f"{folder}/{name}", "not in the tree's message")
        for name, node in expected.items():
            path = f"{folder}/{name}"
            if name not in there:
                walk.missing(path, "in the tree's message, and not on disk")
            elif problem := _difference(walk, there[name], node):
                walk.damaged(path, problem)
            elif isinstance(node, File) and (problem := _wrong_mode(there[name], node)):
                walk.damaged(path, problem, EXECUTABLE if node.executable else PLAIN)
            elif isinstance(node, Folder):
                stack.append((path, node.digest))
            elif isinstance(node, File) and node.digest.hash not in walk.present:
                walk.missing(walk.layout.blob(node.digest.hash), f"the blob of {path}", path)


def _difference(walk: _Walk, entry: os.DirEntry[str], node: Node) -> str | None:
    if isinstance(node, Folder):
        return None if entry.is_dir(follow_symlinks=False) else "not a folder"
    if isinstance(node, Symlink):
        same = entry.is_symlink() and os.readlink(entry.path) == node.target
        return None if same else f"not a symlink to {node.target!r}"
    if not entry.is_file(follow_symlinks=False):
        return "not a regular file"
    there = entry.stat(follow_symlinks=False)
    found = walk.inodes.get(there.st_ino)
    if found is None:
        found = walk.inodes[there.st_ino] = _hash_file(entry.path, memoryview(bytearray(_CHUNK)))
    return None if found == node.digest.hash else "its content is not what its tree says"


def _wrong_mode(entry: os.DirEntry[str], node: File) -> str | None:
    found = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
    wanted = EXECUTABLE if node.executable else PLAIN
    return None if found == wanted else f"mode {found:o} instead of {wanted:o}"


class _Check(Protocol):
    def __call__(
        self, walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool
    ) -> None: ...


def _listed_results(layout: Layout) -> Iterator[tuple[_Check, bool, str, str]]:
    for accelerated in (False, True):
        top = f"{layout.root}/accelerated" if accelerated else layout.root
        checks: tuple[tuple[str, _Check], ...] = ((REALISATIONS, _realisation), (AC, _outcome))
        for kind, check in checks:
            for name, path in named(f"{top}/{kind}"):
                yield check, accelerated, name, path


def _realisation(walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    found = decode_realisation(data)
    if (found.derivation, found.accelerated) != (name, accelerated):
        walk.damaged(path, "the realisation of another derivation")
    tree = walk.trees.get(found.output.hash)
    if tree is None:
        walk.missing(path, f"its output {found.output} is not in the store")
    elif tree.root != found.output:
        walk.damaged(path, "its output has another size")
    _referred(walk, path, found.log, "log")
    if found.action is not None and not _has_record(walk, AC, found.action):
        walk.missing(path, f"its action {found.action} is not in the store")


def _referred(walk: _Walk, path: str, blob: Digest | None, what: str) -> None:
    if blob is not None and blob.hash not in walk.present:
        walk.missing(path, f"its {what} {blob} is not in the store")
    elif blob is not None and walk.sizes.get(blob.hash, blob.size) != blob.size:
        walk.damaged(path, f"its {what} has another size")


def _has_record(walk: _Walk, kind: str, key: str) -> bool:
    return any(
        os.path.exists(walk.layout.record(kind, key, accelerated=apart)) for apart in (False, True)
    )


def _outcome(walk: _Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    del name, accelerated  # an ActionResult does not say of which action it is
    found = Outcome.decode(data)
    if found.encode() != data:
        walk.damaged(path, "an ActionResult with more in it than rvbuild writes")
    _referred(walk, path, found.log, "log")
    _referred(walk, path, found.tree, "Tree message")
    if found.output is None:
        return
    tree = walk.trees.get(found.output.hash)
    if tree is None:
        walk.missing(path, f"its output {found.output} is not in the store")
    elif tree.root != found.output or Digest.of(tree.encode()) != found.tree:
        walk.damaged(path, "its output and its Tree message do not fit")


def _root(walk: _Walk, name: str, path: str) -> None:
    try:
        with open(path, "rb") as file:
            root = decode_root(file.read())
    except (OSError, VerificationError) as error:
        walk.damaged(path, str(error))
        return
    if name != root_file(root.name, root.link):
        walk.damaged(path, "a root of another name or link")
    if not _has_record(walk, REALISATIONS, root.derivation):
        walk.missing(path, f"its derivation {root.derivation} has no realisation")
