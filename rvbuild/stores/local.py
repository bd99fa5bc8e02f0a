"""The local store: all that a build needs of a folder on this machine.

Knows: which parts it has. Must not know: how any of them works.
"""

from __future__ import annotations

from rvbuild.stores.failures import LocalFailures
from rvbuild.stores.layout import Layout
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.results import LocalResults
from rvbuild.stores.roots import LocalRoots
from rvbuild.stores.trees import LocalTrees
from rvbuild.stores.version import begin


class LocalStore(LocalTrees, LocalResults, LocalRoots, LocalFailures, LocalLocks):
    """The store in the folder ``path``, made if it is not there.

    Implements TreeStore, Results, Roots, Locks and Capturer of ``core.ports``. Any number
    of processes and threads may use one folder at once. ``durable=False`` leaves out every
    fsync: for stores that a test throws away.

    Raises:
        StoreError: the folder cannot be made, read or written, or is a store of another version.
    """

    def __init__(self, path: str, *, durable: bool = True) -> None:
        layout = Layout.at(path)
        begin(layout, durable=durable)
        LocalTrees.__init__(self, layout, durable=durable)
        LocalResults.__init__(self, layout, durable=durable)
        LocalRoots.__init__(self, layout, durable=durable)
        LocalFailures.__init__(self, layout)
        LocalLocks.__init__(self, layout)
        self.layout = layout
