"""What caches gave a store and cost, a record each.

Knows: where it is noted. Must not know: caches, what is counted.

Not durable on purpose: what is forgotten in a crash is a statistic, and what is owed to a cache is
found again by whoever brings everything there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from rvbuild.core.cache_totals import CacheTotals
from rvbuild.core.errors import Damaged, NewerRecord
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.records import damage_at, put_record, read_or_none
from rvbuild.stores.shape import CACHES


class LocalCacheTotals:
    """The totals in the store at ``layout``."""

    def __init__(self, layout: Layout, locks: LocalLocks) -> None:
        self._layout = layout
        self._locks = locks

    def totals(self, name: str, address: str) -> CacheTotals | None:
        """What a cache gave and cost; None if nobody asked the one at this address.

        Raises:
            VerificationError: the record of it is damaged.
            StoreError: it could not be read.
        """
        path = self._path(name)
        with guarded(path, "read"):
            data = read_or_none(self._layout, path)
        with damage_at(path), suppress(NewerRecord):
            totals = None if data is None else decode_totals(data, name)
            return totals if totals is not None and totals.address == address else None
        return None

    def change(
        self,
        begun: CacheTotals,
        change: Callable[[CacheTotals], CacheTotals],
    ) -> None:
        """Change what is noted of a cache; ``begun`` is what it begins with if nothing is.

        Whoever has the store shared may call this; processes wait for each other.

        Raises:
            VerificationError: the record of it is damaged.
            StoreError: it could not be read or written.
        """
        with self._locks.lock(f"{CACHES}/{begun.name}"):
            before = self.totals(begun.name, begun.address) or begun
            path = self._path(begun.name)
            with guarded(path):
                put_record(self._layout, path, change(before).encode(), durable=False)

    def _path(self, name: str) -> str:
        return os.path.join(self._layout.root, CACHES, name)


def decode_totals(data: bytes, name: str) -> CacheTotals:
    """Read the record of the cache ``name``.

    Raises:
        VerificationError: it is damaged, or of another cache.
        NewerRecord: its version is newer.
    """
    totals = CacheTotals.decode(data)
    if totals.name != name:
        msg = "the totals of another cache"
        raise Damaged(msg)
    return totals
