"""A store in memory, for tests and for trying things: a small twin of each port of the local one.

Knows: the same rules. Must not know: disks, but to copy a tree out for who needs a path.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.elf import ByteView
from rvbuild.core.errors import Malformed, MissingObject, StoreError
from rvbuild.core.outline import Outline
from rvbuild.core.overlay import union
from rvbuild.core.paths import check_target
from rvbuild.core.ports.callbacks import Taken
from rvbuild.core.ports.roots import Root
from rvbuild.core.ports.store import Store
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import File, Symlink, Tree

_WAIT = 0.01


class MemoryWriter:
    """A sink whose files go to ``cas`` at once, and whose tree goes to ``trees``."""

    def __init__(self, cas: MemoryCas, trees: MemoryTrees) -> None:
        self._cas = cas
        self._trees = trees
        self._outline = Outline()
        self._placing = threading.Lock()

    def directory(self, path: str) -> None:
        with self._placing:
            self._outline.enter(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        """Take a file; return the SHA-256 of its content in hex."""
        self._reserve(path)
        digest = self._cas.write(b"".join(chunks))
        self._outline.fill(path, File(digest, executable))
        return digest.hash

    def symlink(self, path: str, target: str) -> None:
        check_target(target)
        self._reserve(path)
        self._outline.fill(path, Symlink(target))

    def copy(self, path: str, of: str) -> None:
        node = self._outline.file(of)
        self._reserve(path)
        self._outline.fill(path, node)

    def commit(self, expected: Tree | None = None) -> Tree:
        """Register the tree; return it."""
        return self._trees.keep(self._outline.tree(expected))

    def _reserve(self, path: str) -> None:
        with self._placing:
            self._outline.reserve(path)


class MemoryCas:
    """``Cas``, in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def find(self, sha256: str) -> Digest | None:
        return next((blob for blob in self._blobs if blob.hash == sha256), None)

    def read(self, blob: Digest) -> bytes:
        try:
            return self._blobs[blob]
        except KeyError:
            raise MissingObject(str(blob)) from None

    def read_each(self, blobs: Iterable[Digest]) -> Iterator[bytes]:
        return map(self.read, blobs)

    @contextmanager
    def view(self, blob: Digest) -> Iterator[ByteView]:
        yield self.read(blob)

    def write(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self._blobs[digest] = data
        return digest

    def write_all(self, blobs: Iterable[bytes]) -> None:
        for data in blobs:
            self.write(data)


class MemoryTrees:
    """``Trees`` and ``MountableTrees``, in a dictionary.

    Args:
        cas: Where blobs go.
        folder: Where trees are copied to when somebody asks for their path.
    """

    def __init__(self, cas: MemoryCas, folder: str | None = None) -> None:
        self._cas = cas
        self._folder = folder
        self._copying = threading.Lock()
        self._trees: dict[Digest, Tree] = {}

    def has_tree(self, root: Digest) -> bool:
        return root in self._trees

    def tree(self, root: Digest) -> Tree:
        try:
            return self._trees[root]
        except KeyError:
            raise MissingObject(str(root)) from None

    def keep(self, tree: Tree) -> Tree:
        """Register a tree, and its ``Tree`` message as a blob."""
        self._cas.write(tree.encode())
        self._trees[tree.root] = tree
        return tree

    @contextmanager
    def new_tree(self) -> Iterator[MemoryWriter]:
        yield MemoryWriter(self._cas, self)

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Tree:
        return self.keep(union([(at, self.tree(root)) for at, root in parts]))

    def path(self, root: Digest) -> str:
        """Where a copy of the tree is on this machine.

        Raises:
            StoreError: the store has no folder for such copies.
        """
        if self._folder is None:
            msg = f"the tree {root.hash[:12]} is in memory and has no path"
            raise StoreError(msg)
        place = os.path.join(self._folder, root.hash)
        with self._copying:
            if not os.path.exists(place):
                self._copy(self.tree(root), place)
        return place

    def _copy(self, tree: Tree, place: str) -> None:
        os.makedirs(place)
        for path, node in tree.walk():
            at = os.path.join(place, path)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            if isinstance(node, Symlink):
                os.symlink(node.target, at)
                continue
            with open(at, "wb") as file:
                file.write(self._cas.read(node.digest))
                os.fchmod(file.fileno(), 0o755 if node.executable else 0o644)

    def refuse_changed(self, root: Digest) -> None:
        """Nobody can change what is here: who asks for a path gets a copy."""


class MemoryCapturer:
    """``Capturer``: the files of a folder, copied into memory."""

    def __init__(self, trees: MemoryTrees) -> None:
        self._trees = trees

    def capture(self, directory: str, taken: Taken) -> Tree:
        try:
            return self._capture(directory, taken)
        except OSError as error:
            msg = f"cannot be read: {error.strerror}"
            raise StoreError(msg, where=directory) from error

    def _capture(self, directory: str, taken: Taken) -> Tree:
        if os.path.islink(directory):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with self._trees.new_tree() as writer:
            for folder, folders, files in os.walk(directory, onerror=_raise, followlinks=False):
                for name in (*folders, *files):
                    place = os.path.join(folder, name)
                    taken(1, 0)
                    _take(writer, place, os.path.relpath(place, directory), taken)
            return writer.commit()


def _raise(error: OSError) -> None:
    """A folder that cannot be read is no empty one."""
    raise error


def _take(writer: MemoryWriter, place: str, path: str, taken: Taken) -> None:
    mode = os.lstat(place).st_mode
    if stat.S_ISLNK(mode):
        writer.symlink(path, os.readlink(place))
    elif stat.S_ISDIR(mode):
        writer.directory(path)
    elif stat.S_ISREG(mode):
        with open(place, "rb") as file:
            data = file.read()
        taken(0, len(data))
        writer.file(path, [data], executable=bool(mode & stat.S_IXUSR))
    else:
        msg = f"the output holds something strange: {path!r}"
        raise Malformed(msg)


class MemoryRealisations:
    """``Realisations``, in a dictionary."""

    def __init__(self) -> None:
        self._realisations: dict[tuple[str, bool, str], Realisation] = {}

    def realisation(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Realisation | None:
        return next(self.realisations(derivation, accelerated=accelerated, builder=builder), None)

    def realisations(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Iterator[Realisation]:
        known = [key for key in self._realisations if key[0] == derivation]
        known = [key for key in known if accelerated or not key[1]]
        known.sort(key=lambda key: (key[1], key[2] != builder, key[2]))
        yield from map(self._realisations.__getitem__, known)

    def register(self, realisation: Realisation) -> None:
        key = realisation.derivation, realisation.accelerated, realisation.builder
        self._realisations[key] = realisation


class MemoryActionCache:
    """``ActionCache``, in a dictionary."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[Digest, bool], Outcome] = {}

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None:
        clean = self._outcomes.get((action, False))
        return clean or (self._outcomes.get((action, True)) if accelerated else None)

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        self._outcomes[action, accelerated] = outcome


class MemoryFailureLogs:
    """``FailureLogs``, in a dictionary."""

    def __init__(self) -> None:
        self._failures: dict[str, Digest] = {}

    def failed(self, derivation: str) -> Digest | None:
        return self._failures.get(derivation)

    def record_failure(self, derivation: str, log: Digest) -> None:
        self._failures[derivation] = log

    def forget_failure(self, derivation: str) -> None:
        self._failures.pop(derivation, None)


class MemoryRoots:
    """``Roots``, in a dictionary."""

    def __init__(self) -> None:
        self._roots: dict[tuple[str, str], Root] = {}

    def add_root(self, name: str, derivation: str, link: str) -> None:
        self._roots[name, link] = Root(name=name, derivation=derivation, link=link)

    def roots(self) -> tuple[Root, ...]:
        return tuple(self._roots[key] for key in sorted(self._roots))


class MemoryLocks:
    """``Locks`` between the threads of this process."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        lock = self._locks[name]
        while not lock.acquire(timeout=_WAIT if waiting else -1):
            if waiting:
                waiting("another thread")
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def shared(self) -> Iterator[None]:
        yield


@frozen(init=False, eq=False)
class MemoryStore(Store):
    """The memory twins of a store's ports, side by side.

    Args:
        folder: Where trees are copied to when somebody asks for their path.
    """

    cas: MemoryCas
    trees: MemoryTrees
    mountable: MemoryTrees
    capturer: MemoryCapturer
    realisations: MemoryRealisations
    action_cache: MemoryActionCache
    failure_logs: MemoryFailureLogs
    roots: MemoryRoots
    locks: MemoryLocks

    def __init__(self, folder: str | None = None) -> None:
        cas = MemoryCas()
        trees = MemoryTrees(cas, folder)
        self.__attrs_init__(
            cas=cas,
            trees=trees,
            mountable=trees,
            capturer=MemoryCapturer(trees),
            realisations=MemoryRealisations(),
            action_cache=MemoryActionCache(),
            failure_logs=MemoryFailureLogs(),
            roots=MemoryRoots(),
            locks=MemoryLocks(),
        )
