"""The local store: all that a build needs of a folder on this machine.

Knows: which parts it has. Must not know: how any of them works.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.ports.store import Store
from rvbuild.stores.barrier import Barrier
from rvbuild.stores.blobs import LocalCas
from rvbuild.stores.cache_totals import LocalCacheTotals
from rvbuild.stores.failures import LocalFailures
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.results import LocalResults
from rvbuild.stores.roots import LocalRoots
from rvbuild.stores.trees import LocalTrees
from rvbuild.stores.version import begin


@frozen(init=False, eq=False)
class LocalStore(Store):
    """The store in the folder ``path``, made if it is not there.

    Any number of processes and threads may use one folder at once. ``durable=False`` leaves out
    every fsync: for stores that a test throws away.

    Attributes:
        layout: Where everything is.
        roots: What people hold.
        cache_totals: What caches gave and cost.

    Raises:
        StoreError: the folder cannot be made, read or written, or is a store of another version.
    """

    layout: Layout
    cas: LocalCas
    trees: LocalTrees
    mountable: LocalTrees
    capturer: LocalTrees
    realisations: LocalResults
    action_cache: LocalResults
    failure_logs: LocalFailures
    roots: LocalRoots
    cache_totals: LocalCacheTotals
    locks: LocalLocks

    def __init__(self, path: str, *, durable: bool = True) -> None:
        layout = Layout.at(path)
        begin(layout, durable=durable)
        with guarded(layout.root):
            barrier = Barrier(layout.root, durable=durable)
        locks = LocalLocks(layout)
        cas = LocalCas(layout, locks, barrier, durable=durable)
        trees = LocalTrees(layout, cas, locks, barrier, durable=durable)
        results = LocalResults(layout, durable=durable)
        self.__attrs_init__(
            layout=layout,
            cas=cas,
            trees=trees,
            mountable=trees,
            capturer=trees,
            realisations=results,
            action_cache=results,
            failure_logs=LocalFailures(layout),
            roots=LocalRoots(layout, durable=durable),
            cache_totals=LocalCacheTotals(layout, locks),
            locks=locks,
        )
