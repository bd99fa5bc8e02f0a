"""The shape of a tree while it is being made: which path is what.

Knows: which paths and symlinks a tree may have. Must not know: disks, contents.
"""

from __future__ import annotations

from rvbuild.core.errors import Malformed
from rvbuild.core.paths import check_name, path_problem
from rvbuild.core.tree import File, Nested, Symlink, Tree

_PENDING = Symlink("")


class Outline:
    """A nested tree that refuses what a disk could not hold, or would hold elsewhere.

    Nothing can be placed below a file or a symlink, and no name can be given twice, so
    who writes the same paths to a disk never follows a link and never overwrites.
    """

    def __init__(self) -> None:
        self.root: Nested = {}
        self._levels: dict[str, Nested] = {"": self.root}

    def enter(self, path: str) -> list[str]:
        """Make ``path`` a directory; return the paths that were not there, parents first.

        Raises:
            VerificationError: not a valid path, or a file or symlink is in the way.
        """
        if path in self._levels:
            return []
        _check_form(path)
        parent, _, name = path.rpartition("/")
        missing = [(path, parent, name)]
        while parent not in self._levels:
            here = parent
            parent, _, name = here.rpartition("/")
            missing.append((here, parent, name))
        for _, _, last in missing:  # all, before anything is made
            check_name(last)
        here, parent, name = missing[-1]
        if name in self._levels[parent]:
            msg = f"a file or symlink stands where a directory is needed: {here}"
            raise Malformed(msg)
        missing.reverse()
        for here, above, last in missing:
            inner: Nested = {}
            self._levels[above][last] = self._levels[here] = inner
        return [here for here, _, _ in missing]

    def reserve(self, path: str) -> list[str]:
        """Take a new name; return the directories that had to be made for it.

        Raises:
            VerificationError: not a valid path, or the name is taken.
        """
        parent, _, name = path.rpartition("/")
        _check_form(path)
        check_name(name)
        made = self.enter(parent)
        level = self._levels[parent]
        if name in level:
            msg = f"name given twice: {path}"
            raise Malformed(msg)
        level[name] = _PENDING
        return made

    def fill(self, path: str, node: File | Symlink) -> None:
        """Say what a reserved name is."""
        parent, _, name = path.rpartition("/")
        self._levels[parent][name] = node

    def file(self, path: str) -> File:
        """The file that was placed at ``path``.

        Raises:
            VerificationError: there is none.
        """
        parent, _, name = path.rpartition("/")
        node = self._levels.get(parent, {}).get(name)
        if not isinstance(node, File):
            msg = f"a hard link to what is not an earlier file: {path}"
            raise Malformed(msg)
        return node

    def tree(self, expected: Tree | None = None) -> Tree:
        """The tree that was made.

        Args:
            expected: What it must be, where that is known: comparing costs a tenth of hashing.

        Raises:
            VerificationError: it is another.
        """
        if expected is None:
            return Tree.of(self.root)
        if not expected.describes(self.root):
            msg = f"the tree that was made is not {expected.root}"
            raise Malformed(msg)
        return expected

    @property
    def directories(self) -> list[str]:
        """Every directory's path, children before parents; the root (``""``) is last."""
        return list(reversed(self._levels))


def _check_form(path: str) -> None:
    problem = path_problem(path)
    if problem:
        msg = f"{problem}: {path[:60]!r}"
        raise Malformed(msg)
