"""Sinks that keep no bytes: they only name what passes through them.

Knows: paths, digests, git's names. Must not know: where a tree comes from or goes.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.paths import check_name
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.fetchers.git_objects import (
    EXECUTABLE,
    FILE,
    SYMLINK,
    GitFolder,
    Leaf,
    hasher,
    tree_name,
)

Leafy = dict[str, Any]
"""A nested tree with leaves of whichever kind; the sinks below give it its type."""

_IN_MEMORY = 8 << 20


def _folder(root: Leafy, names: list[str], path: str) -> Leafy:
    for name in names:
        check_name(name)
        root = root.setdefault(name, {})
        if not isinstance(root, dict):
            msg = f"a file or symlink stands where a directory is needed: {path}"
            raise VerificationError(msg)
    return root


def _put(root: Leafy, path: str, leaf: object) -> None:
    *parents, name = path.split("/")
    check_name(name)
    level = _folder(root, parents, path)
    if name in level:
        msg = f"the tree has {path} twice"
        raise VerificationError(msg)
    level[name] = leaf


def _get(root: Leafy, path: str) -> object:
    node: object = root
    for name in path.split("/"):
        node = node.get(name) if isinstance(node, dict) else None
    if node is None or isinstance(node, dict):
        msg = f"the tree has no file {path} to copy"
        raise VerificationError(msg)
    return node


@define
class DigestSink:
    """A ``TreeSink`` that gives the tree's digests and forgets its bytes."""

    nested: Nested = field(init=False, factory=dict)

    def directory(self, path: str) -> None:
        _folder(self.nested, path.split("/"), path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        running, size = hashlib.sha256(), 0
        for chunk in chunks:
            running.update(chunk)
            size += len(chunk)
        self.known(path, running.hexdigest(), size, executable=executable)
        return running.hexdigest()

    def known(self, path: str, sha256: str, size: int, *, executable: bool) -> None:
        """A file that was hashed elsewhere."""
        _put(self.nested, path, File(Digest(sha256, size), executable))

    def symlink(self, path: str, target: str) -> None:
        _put(self.nested, path, Symlink(target))

    def copy(self, path: str, of: str) -> None:
        _put(self.nested, path, _get(self.nested, of))

    @property
    def tree(self) -> Tree:
        """The tree of what came so far."""
        return Tree.of(self.nested)


@define
class GitNameSink:
    """A ``TreeSink`` that finds the name git would give the tree; ``like`` fixes the hash.

    An empty folder makes the tree one that git cannot hold (an archive shows a submodule so).
    """

    like: str
    _root: GitFolder = field(init=False, factory=dict)

    def directory(self, path: str) -> None:
        _folder(self._root, path.split("/"), path)

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
        _put(self._root, path, leaf)
        return content.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        data = target.encode()
        running = hasher("blob", len(data), self.like)
        running.update(data)
        _put(self._root, path, Leaf(SYMLINK, running.hexdigest()))

    def copy(self, path: str, of: str) -> None:
        _put(self._root, path, _get(self._root, of))

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
    return not paths or any(path == kept or path.startswith(f"{kept}/") for kept in paths)


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
