"""A store in memory, for tests and for trying things: the local store's small twin.

Knows: the same rules. Must not know: disks.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rvbuild.core.action import Outcome
from rvbuild.core.derivation import Realisation
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.outline import Outline, check_target
from rvbuild.core.ports import Root
from rvbuild.core.tree import File, Symlink, Tree, lay_over


class MemoryWriter:
    """A sink whose files go to ``blobs`` at once, and whose tree goes to ``trees``."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._outline = Outline()
        self._placing = threading.Lock()

    def directory(self, path: str) -> None:
        with self._placing:
            self._outline.enter(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        """Take a file; return the SHA-256 of its content in hex."""
        self._reserve(path)
        digest = self._store.write(b"".join(chunks))
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

    def commit(self) -> Digest:
        """Register the tree; return its root digest."""
        return self._store.keep(Tree.of(self._outline.root))

    def _reserve(self, path: str) -> None:
        with self._placing:
            self._outline.reserve(path)


class MemoryStore:
    """TreeStore, Results, Roots and Locks of ``core.ports``, in dictionaries."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}
        self._trees: dict[Digest, Tree] = {}
        self._realisations: dict[tuple[str, bool], Realisation] = {}
        self._outcomes: dict[tuple[Digest, bool], Outcome] = {}
        self._roots: dict[tuple[str, str], Root] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def read(self, blob: Digest) -> bytes:
        try:
            return self._blobs[blob]
        except KeyError:
            raise KeyError(str(blob)) from None

    def write(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self._blobs[digest] = data
        return digest

    def has_tree(self, root: Digest) -> bool:
        return root in self._trees

    def tree(self, root: Digest) -> Tree:
        try:
            return self._trees[root]
        except KeyError:
            raise KeyError(str(root)) from None

    def keep(self, tree: Tree) -> Digest:
        """Register a tree, and its ``Tree`` message as a blob."""
        self.write(tree.encode())
        self._trees[tree.root] = tree
        return tree.root

    @contextmanager
    def new_tree(self) -> Iterator[MemoryWriter]:
        yield MemoryWriter(self)

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Digest:
        union = lay_over([(at, self.tree(root).nested()) for at, root in parts])
        return self.keep(Tree.of(union))

    def path(self, root: Digest) -> str:
        """A store in memory has none.

        Raises:
            StoreError: always.
        """
        msg = f"the tree {root.hash[:12]} is in memory and has no path"
        raise StoreError(msg)

    def realisation(self, derivation: str, *, accelerated: bool = True) -> Realisation | None:
        clean = self._realisations.get((derivation, False))
        return clean or (self._realisations.get((derivation, True)) if accelerated else None)

    def register(self, realisation: Realisation) -> None:
        self._realisations[realisation.derivation, realisation.accelerated] = realisation

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None:
        clean = self._outcomes.get((action, False))
        return clean or (self._outcomes.get((action, True)) if accelerated else None)

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        self._outcomes[action, accelerated] = outcome

    def add_root(self, name: str, derivation: str, link: str) -> None:
        self._roots[name, link] = Root(name=name, derivation=derivation, link=link)

    def roots(self) -> tuple[Root, ...]:
        return tuple(self._roots[key] for key in sorted(self._roots))

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with self._locks[name]:
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        yield
