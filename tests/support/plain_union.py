"""The union of trees, said as plainly as it can be: what the quick one is held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import File, Nested, Symlink, Tree

Leaf = File | Symlink


def plain_union(parts: Sequence[tuple[str, Nested]]) -> Tree:
    """The union of trees, each at its path (``""`` is the root).

    Raises:
        VerificationError: two parts have different things at one path.
    """
    seen: dict[str, Leaf | None] = {}
    for at, part in parts:
        for path, leaf in _paths(at, part):
            if seen.setdefault(path, leaf) != leaf:
                raise VerificationError(path)
    return Tree.of(_nested(seen))


def _paths(at: str, part: Nested) -> Iterator[tuple[str, Leaf | None]]:
    """Every path from the root on, with the file or link there; None for a directory."""
    names = at.split("/") if at else []
    for length in range(len(names) + 1):
        yield "/".join(names[:length]), None
    for name, node in part.items():
        path = f"{at}/{name}" if at else name
        if isinstance(node, dict):
            yield from _paths(path, node)
        else:
            yield path, node


def _nested(seen: dict[str, Leaf | None]) -> Nested:
    folders: dict[str, Nested] = {"": {}}
    for path in sorted(seen, key=lambda each: each.count("/")):
        above, _, name = path.rpartition("/")
        if path:
            leaf = seen[path]
            node = folders.setdefault(path, {}) if leaf is None else leaf
            folders[above][name] = node
    return folders[""]
