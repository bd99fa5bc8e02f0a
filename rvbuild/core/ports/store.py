"""All that realising needs of a store.

Knows: which ports that is. Must not know: any store.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.action_cache import ActionCache
from rvbuild.core.ports.cas import Cas
from rvbuild.core.ports.failure_logs import FailureLogs
from rvbuild.core.ports.locks import Locks
from rvbuild.core.ports.mountable import MountableTrees
from rvbuild.core.ports.realisations import Realisations
from rvbuild.core.ports.trees import Trees


class TreeStore(Cas, Trees, MountableTrees, Protocol):
    """Blobs and trees by content, and as folders."""


class Store(TreeStore, Realisations, ActionCache, FailureLogs, Locks, Protocol):
    """What realising needs of a store."""
