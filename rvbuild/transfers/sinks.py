"""A sink that keeps no bytes: it only names what passes through it.

Knows: paths, digests. Must not know: where a tree comes from or goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.paths import check_name
from rvbuild.core.tree import File, Nested, Symlink, Tree

Leafy = dict[str, Any]
"""A nested tree with leaves of whichever kind; each sink gives it its type."""


def folder_at(root: Leafy, names: list[str], path: str) -> Leafy:
    """The folder ``names`` of ``root``, made where it is missing; ``path`` is for the error."""
    for name in names:
        check_name(name)
        root = root.setdefault(name, {})
        if not isinstance(root, dict):
            msg = f"a file or symlink stands where a directory is needed: {path}"
            raise Malformed(msg)
    return root


def put_leaf(root: Leafy, path: str, leaf: object) -> None:
    """Put a leaf at a path, where nothing is yet."""
    *parents, name = path.split("/")
    check_name(name)
    level = folder_at(root, parents, path)
    if name in level:
        msg = f"the tree has {path} twice"
        raise Malformed(msg)
    level[name] = leaf


def leaf_at(root: Leafy, path: str) -> object:
    """The leaf at a path."""
    node: object = root
    for name in path.split("/"):
        node = node.get(name) if isinstance(node, dict) else None
    if node is None or isinstance(node, dict):
        msg = f"the tree has no file {path} to copy"
        raise Malformed(msg)
    return node


@define
class DigestSink:
    """A ``TreeSink`` that gives the tree's digests and forgets its bytes."""

    nested: Nested = field(init=False, factory=dict)

    def directory(self, path: str) -> None:
        folder_at(self.nested, path.split("/"), path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        running, size = hashlib.sha256(), 0
        for chunk in chunks:
            running.update(chunk)
            size += len(chunk)
        self.known(path, running.hexdigest(), size, executable=executable)
        return running.hexdigest()

    def known(self, path: str, sha256: str, size: int, *, executable: bool) -> None:
        """A file that was hashed elsewhere."""
        put_leaf(self.nested, path, File(Digest(sha256, size), executable))

    def symlink(self, path: str, target: str) -> None:
        put_leaf(self.nested, path, Symlink(target))

    def copy(self, path: str, of: str) -> None:
        put_leaf(self.nested, path, leaf_at(self.nested, of))

    @property
    def tree(self) -> Tree:
        """The tree of what came so far."""
        return Tree.of(self.nested)
