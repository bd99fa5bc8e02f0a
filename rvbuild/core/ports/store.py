"""The ports of one store, side by side.

Knows: which ports those are that its users need together. Must not know: any store.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.ports.action_cache import ActionCache
from rvbuild.core.ports.blob_batches import BatchedCas
from rvbuild.core.ports.capturer import Capturer
from rvbuild.core.ports.failure_logs import FailureLogs
from rvbuild.core.ports.locks import Locks
from rvbuild.core.ports.mountable import MountableTrees
from rvbuild.core.ports.realisations import Realisations
from rvbuild.core.ports.trees import Trees


@frozen(kw_only=True, eq=False)
class TreeStore:
    """Blobs and trees by content, and as folders of this machine."""

    cas: BatchedCas
    trees: Trees
    mountable: MountableTrees
    capturer: Capturer


@frozen(kw_only=True, eq=False)
class Store(TreeStore):
    """What realising needs of a store.

    Whoever needs one port takes that port: ``store.trees.has_tree(root)`` is a question to
    ``Trees``, which a store that is not a folder can answer, too.
    """

    realisations: Realisations
    action_cache: ActionCache
    failure_logs: FailureLogs
    locks: Locks
