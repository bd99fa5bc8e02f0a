"""Folders of this machine into the store.

Knows: that what is taken in is nobody's to write any more. Must not know: who left it.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.callbacks import Taken
from rvbuild.core.tree import Tree


class Capturer(Protocol):
    """Takes a folder of this machine into the store, as a tree."""

    def capture(self, directory: str, taken: Taken) -> Tree:
        """Copy what is in the folder, of which files may be gone afterwards; the tree.

        Nobody can have open for writing what is in the tree: not who holds a descriptor of
        the folder's files, nor another name of one.

        Raises:
            VerificationError: it holds what a tree cannot (a socket, a device, a FIFO).
            StoreError: it could not be read, or the store could not be written.
        """
        ...
