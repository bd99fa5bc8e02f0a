"""The union of trees, without opening the directories that only one of them reaches.

Knows: how parts meet. Must not know: disks.
468 module trees share few directories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Conflict
from rvbuild.core.tree import Directory, DirectoryNode, Tree, Unsealed, seal


def union(parts: Sequence[tuple[str, Tree]]) -> Tree:
    """The union of trees, each at its path (``""`` is the root).

    Raises:
        VerificationError: two parts have different things at one path.
    """
    known: dict[Digest, Directory] = {}
    for _, tree in parts:
        known.update(tree.directories)
    root: Unsealed = {}
    for at, tree in parts:
        _lay(root, at, tree.root, known)
    return _reachable(seal(root, known), known)


def _lay(root: Unsealed, at: str, tree: Digest, known: dict[Digest, Directory]) -> None:
    if not at:
        stack = [(name, root, name, node) for name, node in known[tree].entries.items()]
    else:
        *parents, last = at.split("/")
        level, path = root, ""
        for name in parents:
            path = f"{path}/{name}" if path else name
            level = _opened(level, name, path, known)
        stack = [(at, level, last, DirectoryNode(tree))]
    while stack:
        path, level, name, node = stack.pop()
        there = level.setdefault(name, node)
        if there is node or there == node:
            continue
        if not isinstance(node, DirectoryNode):
            _refuse(path)
        inner = _opened(level, name, path, known)
        stack.extend(
            (f"{path}/{child}", inner, child, below)
            for child, below in known[node.digest].entries.items()
        )


def _opened(level: Unsealed, name: str, path: str, known: dict[Digest, Directory]) -> Unsealed:
    there = level.get(name)
    if isinstance(there, dict):
        return there
    if there is not None and not isinstance(there, DirectoryNode):
        _refuse(path)
    inner: Unsealed = {} if there is None else dict(known[there.digest].entries)
    level[name] = inner
    return inner


def _refuse(path: str) -> NoReturn:
    msg = f"two inputs have different things at {path}"
    raise Conflict(msg)


def _reachable(root: Digest, known: dict[Digest, Directory]) -> Tree:
    kept: dict[Digest, Directory] = {}
    stack = [root]
    while stack:
        digest = stack.pop()
        if digest not in kept:
            kept[digest] = known[digest]
            stack.extend(
                node.digest
                for node in known[digest].entries.values()
                if isinstance(node, DirectoryNode)
            )
    return Tree(root, kept)
