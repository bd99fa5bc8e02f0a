"""Where the files of a new tree go.

Knows: names, contents, modes. Must not know: where the tree is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rvbuild.core.tree import Tree


class TreeSink(Protocol):
    """Takes the files of one new tree, in any order.

    Paths are relative, ``/``-separated, in normal form (no ``.``, ``..``, empty part,
    NUL or leading ``/``); parents are made as needed. An invalid path, a path whose
    parent is a file or a symlink, or a name given twice is a VerificationError.
    Several threads may call.
    """

    def directory(self, path: str) -> None: ...

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        """Write a file; return the SHA-256 of its content in hex."""
        ...

    def symlink(self, path: str, target: str) -> None: ...

    def copy(self, path: str, of: str) -> None:
        """The file ``path`` has the content and mode of the earlier ``of`` (a tar hard link)."""
        ...


class TreeWriter(TreeSink, Protocol):
    """A sink that can be made permanent."""

    def commit(self, expected: Tree | None = None) -> Tree:
        """Register the tree: durable and verified once this returns it.

        Args:
            expected: What it must be, where that is known; then it is not hashed again.

        Raises:
            VerificationError: it is another; nothing is registered.
        """
        ...
