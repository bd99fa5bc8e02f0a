"""Trees by the digest of their root directory.

Knows: trees as values, and as what a writer makes. Must not know: folders of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from rvbuild.core.digest import Digest
from rvbuild.core.ports.sink import TreeWriter
from rvbuild.core.tree import Tree


class Trees(Protocol):
    """Trees by content."""

    def has_tree(self, root: Digest) -> bool: ...

    def tree(self, root: Digest) -> Tree:
        """Every directory of the tree.

        Raises:
            MissingObject: it is missing, which is a KeyError, too.
        """
        ...

    def new_tree(self) -> AbstractContextManager[TreeWriter]:
        """A writer; what is not committed when the context ends is gone."""
        ...

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Tree:
        """Register the union of trees, each laid at its path (``""`` is the root); that tree."""
        ...
