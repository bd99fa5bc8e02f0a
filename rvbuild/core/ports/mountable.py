"""Trees as folders of this machine.

Knows: where a tree can be mounted from. Must not know: how it came there.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.digest import Digest


class MountableTrees(Protocol):
    """Trees that a sandbox can mount."""

    def path(self, root: Digest) -> str:
        """Where the ready-to-mount tree is on this machine."""
        ...

    def refuse_changed(self, root: Digest) -> None:
        """See that a tree which people have links to is as it was written; by cheap signs.

        Raises:
            VerificationError: somebody changed a file of it.
        """
        ...
