"""What a cache holds: how many records and objects, by which keys, and how old.

Knows: names of what is in a cache. Must not know: what records say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from attrs import define, frozen

from rvbuild.caches.entry_walk import Walked, tell_nobody, walk
from rvbuild.caches.names import LEASES, OBJECTS, RECORDS, is_lease, is_object, is_record
from rvbuild.core.ports.cache import CacheEntries, CacheEntry


@frozen(kw_only=True)
class FileCount:
    """Files of a cache.

    Attributes:
        files: How many.
        size: Bytes of all.
        oldest: When the first of them was written, in seconds since 1970 by the cache's own clock;
            0 if there is none.
        newest: When the last of them was.
    """

    files: int
    size: int
    oldest: float
    newest: float


@frozen(kw_only=True)
class Inventory:
    """What a cache holds.

    Attributes:
        objects: Its packs.
        realisations: What each key said of derivations.
        targets: What each key said of targets.
        leases: Pushes and collections that are under way, or whose owner was killed.
    """

    objects: FileCount
    realisations: dict[str, FileCount]
    targets: dict[str, FileCount]
    leases: int


@define
class _Count:
    files: int = 0
    size: int = 0
    oldest: float = 0.0
    newest: float = 0.0

    def add(self, entry: CacheEntry) -> None:
        self.oldest = min(self.oldest, entry.modified) if self.files else entry.modified
        self.newest = max(self.newest, entry.modified)
        self.files, self.size = self.files + 1, self.size + entry.size

    @property
    def value(self) -> FileCount:
        return FileCount(files=self.files, size=self.size, oldest=self.oldest, newest=self.newest)


def take_inventory(cache: CacheEntries, tell: Walked = tell_nobody) -> Inventory:
    """List all of a cache; nothing in it is read, and others' files do not count.

    Args:
        cache: Which.
        tell: Told how far it is.

    Raises:
        CacheError: it cannot be listed.
    """
    kinds: dict[str, defaultdict[str, _Count]] = {
        kind: defaultdict(_Count) for kind in ("realisations", "targets")
    }
    for entry in walk(cache.entries(RECORDS), "records", tell):
        if is_record(entry.name):
            _, key, kind, *_ = entry.name.split("/")
            kinds[kind][key].add(entry)
    objects = walk(cache.entries(OBJECTS), "objects", tell)
    return Inventory(
        objects=_count(entry for entry in objects if is_object(entry.name)),
        realisations={key: count.value for key, count in sorted(kinds["realisations"].items())},
        targets={key: count.value for key, count in sorted(kinds["targets"].items())},
        leases=sum(1 for entry in cache.entries(LEASES) if is_lease(entry.name)),
    )


def _count(entries: Iterable[CacheEntry]) -> FileCount:
    count = _Count()
    for entry in entries:
        count.add(entry)
    return count.value
