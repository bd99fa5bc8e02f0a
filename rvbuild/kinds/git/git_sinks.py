"""Sinks that git sources need: one names a tree as git would, one hands on a part of it.

Knows: paths, git's names. Must not know: where a tree comes from or goes.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable

from attrs import define, field

from rvbuild.core.ports.sink import TreeSink
from rvbuild.git.objects import (
    EXECUTABLE,
    FILE,
    SYMLINK,
    GitFolder,
    Leaf,
    hasher,
    tree_name,
)
from rvbuild.transfers.sinks import folder_at, leaf_at, put_leaf

_IN_MEMORY = 8 << 20


@define
class GitNameSink:
    """A ``TreeSink`` that finds the name git would give the tree; ``like`` fixes the hash.

    An empty folder makes the tree one that git cannot hold (an archive shows a submodule so).
    """

    like: str
    _root: GitFolder = field(init=False, factory=dict)

    def directory(self, path: str) -> None:
        folder_at(self._root, path.split("/"), path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        content = hashlib.sha256()
        # git's name begins with the size, which is known only at the end
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            for chunk in chunks:
                content.update(chunk)
                spool.write(chunk)
            running = hasher("blob", spool.tell(), self.like)
            spool.seek(0)
            while chunk := spool.read(1 << 20):
                running.update(chunk)
        leaf = Leaf(EXECUTABLE if executable else FILE, running.hexdigest())
        put_leaf(self._root, path, leaf)
        return content.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        data = target.encode()
        running = hasher("blob", len(data), self.like)
        running.update(data)
        put_leaf(self._root, path, Leaf(SYMLINK, running.hexdigest()))

    def copy(self, path: str, of: str) -> None:
        put_leaf(self._root, path, leaf_at(self._root, of))

    def has(self, path: str) -> bool:
        """Whether something came at ``path`` or below it."""
        node: object = self._root
        for name in path.split("/"):
            node = node.get(name) if isinstance(node, dict) else None
        return node is not None

    @property
    def name(self) -> str:
        """The tree object's name of what came so far."""
        return tree_name(self._root, self.like)


def keeps(paths: tuple[str, ...], path: str) -> bool:
    """Whether ``path`` is one of ``paths`` or below one; no paths keep everything."""
    return not paths or any(path == root or path.startswith(f"{root}/") for root in paths)


@define
class Selected:
    """A ``TreeSink`` that hands on only what lies at or below ``paths``."""

    into: TreeSink
    paths: tuple[str, ...]

    def directory(self, path: str) -> None:
        if keeps(self.paths, path):
            self.into.directory(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        if keeps(self.paths, path):
            return self.into.file(path, chunks, executable=executable)
        running = hashlib.sha256()
        for chunk in chunks:
            running.update(chunk)
        return running.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        if keeps(self.paths, path):
            self.into.symlink(path, target)

    def copy(self, path: str, of: str) -> None:
        if keeps(self.paths, path):
            self.into.copy(path, of)
