"""Removes from a cache what nobody can reach any more.

Knows: records and what they name. Must not know: signatures, kinds of caches.

The rules:

1. A record of a target keeps all that its closure names, for ever: it is the target's last one.
2. Any other realisation stays, too, while all objects are no more than ``most`` bytes. Beyond that
   they go, the one that was written longest ago first, until the rest is no more than that. So no
   record stays that is older than one that went, however small it is.
3. An object that no record named when the collection began is removed. So what a record names that
   goes now is removed by the next collection: a reader that has the record has until then.
4. An object younger than ``grace`` stays: by the cache's own clock, in which the collection's lease
   was written now.
5. A record that cannot be read, or that a newer rvbuild wrote, ends the collection before anything
   is removed: nobody knows what it names.
6. A file that a killed writer left in ``tmp/`` goes when it is older than `LONGEST_WRITE`, and a
   void lease at once.
7. Nothing is removed any more once the lease of the collection is lost: somebody may push.
8. What has no mark is no cache, and in a cache only files with names that rvbuild gives them are
   looked at: others' stay, wherever they are. A newer rvbuild that has other names writes another
   mark.
9. A dry run writes nothing, no lease either, and goes by this machine's clock.

Example: nobody builds K3s 1.32 any more, and its last closure is there: all of it stays. Of 40
former builds of K3s 1.35 the oldest go, as far as the quota asks for it; their packs go a day
later, with the next collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from attrs import define, frozen

from rvbuild.caches.entry_walk import Walked, tell_nobody, walk
from rvbuild.caches.lease import Lease
from rvbuild.caches.marked import require_mark
from rvbuild.caches.names import (
    OBJECTS,
    RECORDS,
    TEMPORARY,
    is_lease,
    is_object,
    is_realisation,
    is_record,
    is_temporary,
    object_name,
)
from rvbuild.caches.tenure import Tenure
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheRefused, VerificationError
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Statement

GRACE = 3600.0
"""Seconds for which an object stays whatever names it, where nobody says otherwise."""

LONGEST_WRITE = 24 * 3600.0
"""Seconds for which a file may be half written."""


@frozen(kw_only=True)
class Collection:
    """What a collection did.

    Attributes:
        records: How many stay.
        objects: How many stay.
        size: Bytes of these.
        removed_records: How many went.
        removed_objects: How many went.
        removed_size: Bytes of these.
        leftovers: How many files of killed writers went: half written ones, and leases.
        young_objects: How many of those that stay no record names; they are younger than the grace.
    """

    records: int
    objects: int
    size: int
    removed_records: int
    removed_objects: int
    removed_size: int
    leftovers: int
    young_objects: int


@frozen(kw_only=True)
class _Plan:
    """What a collection is to do: names of files that go, and what it comes to."""

    names: tuple[str, ...]
    collection: Collection


@frozen
class _Record:
    """What a record names; ``is_root``: it keeps that, and all that is said of ``derivations``."""

    entry: CacheEntry
    packs: frozenset[Digest]
    is_root: bool
    derivations: frozenset[str]


@define
class Collector:
    """Collects one cache.

    Attributes:
        cache: Which.
        lease: Keeps pushes away.
        address: For messages.
        most: Bytes of objects that records may keep beyond what targets need; None: any number.
        grace: Seconds for which an object stays whatever names it.
        tell: Told how far it is.
    """

    cache: CollectableCache
    lease: Lease
    address: str
    most: int | None = None
    grace: float = GRACE
    tell: Walked = tell_nobody

    def run(self, *, dry: bool = False) -> Collection:
        """Remove what nobody can reach.

        Args:
            dry: Only say what would go.

        Raises:
            CacheError: it does not let us, or somebody pushes.
        """
        require_mark(self.cache, self.address)
        if dry:
            now = self.lease.now()
            return self._plan(now, self.lease.void_leases(now)).collection
        with self.lease.collecting() as collecting:
            plan = self._plan(collecting.began, collecting.void)
            self._remove(plan.names, collecting.tenure)
            return plan.collection

    def _plan(self, began: float, void: Iterable[str]) -> _Plan:
        """What goes, of a collection that began at a moment of the cache's clock.

        Args:
            began: Seconds since 1970.
            void: Names of leases whose owners were killed.
        """
        entries = {each.name: each for each in self.cache.entries(RECORDS) if is_record(each.name)}
        read = walk(self.cache.records(entries), "records", self.tell, len(entries))
        records = [self._record(entries[name], data) for name, data in read]
        objects = {
            entry.name: entry
            for entry in walk(self.cache.entries(OBJECTS), "objects", self.tell)
            if is_object(entry.name)
        }
        named = {object_name(pack) for record in records for pack in record.packs}
        go = self._beyond_quota(records)
        unnamed = [entry for name, entry in objects.items() if name not in named]
        orphans = [entry for entry in unnamed if entry.modified < began - self.grace]
        leftovers = [*filter(is_lease, void), *self._half_written(began)]
        removed = sum(entry.size for entry in orphans)
        collection = Collection(
            records=len(records) - len(go),
            objects=len(objects) - len(orphans),
            size=sum(entry.size for entry in objects.values()) - removed,
            removed_records=len(go),
            removed_objects=len(orphans),
            removed_size=removed,
            leftovers=len(leftovers),
            young_objects=len(unnamed) - len(orphans),
        )
        names = (*leftovers, *(entry.name for entry in (*go, *orphans)))
        return _Plan(names=names, collection=collection)

    def _remove(self, names: tuple[str, ...], tenure: Tenure) -> None:
        for name in walk(names, "files removed", self.tell, len(names)):
            tenure.check()
            self.cache.remove(name)

    def _half_written(self, began: float) -> list[str]:
        """Files that killed writers left (rule 6)."""
        entries = self.cache.entries(TEMPORARY)
        old = began - LONGEST_WRITE
        return [each.name for each in entries if is_temporary(each.name) and each.modified <= old]

    def _record(self, entry: CacheEntry, data: bytes) -> _Record:
        try:
            envelope = Envelope.decode(data)
            if envelope.payload_type == CLOSURE:
                closure = Closure.decode(envelope.payload)
                statements, more = closure.statements, {closure.derivations.digest}
            elif envelope.payload_type == REALISATION:
                statements, more = (Statement.decode(envelope.payload),), set()
            else:
                self._refuse(entry, "a newer rvbuild wrote it")
        except VerificationError as error:
            self._refuse(entry, error.message)
        packs = {pack for each in statements for pack in each.packs}
        names = frozenset(each.derivation.hash for each in statements)
        is_root = envelope.payload_type == CLOSURE or not is_realisation(entry.name)
        return _Record(entry, frozenset(packs | more), is_root, names)

    def _refuse(self, entry: CacheEntry, why: str) -> NoReturn:
        msg = f"nobody can tell what a record names: {why}"
        hint = "use the rvbuild that wrote it, or remove the record"
        raise CacheRefused(msg, where=f"{self.address} {entry.name}", hint=hint)

    def _beyond_quota(self, records: Sequence[_Record]) -> list[CacheEntry]:
        """The records that go (rules 1 and 2)."""
        if self.most is None:
            return []
        needed = {each for record in records if record.is_root for each in record.derivations}
        lasting = [each for each in records if each.is_root or each.derivations <= needed]
        others = sorted(set(records).difference(lasting), key=_age)
        packs = {pack for record in lasting for pack in record.packs}
        size = sum(pack.size for pack in packs)
        for at, record in enumerate(others):
            size += sum(pack.size for pack in record.packs - packs)
            if size > self.most:
                return [each.entry for each in others[at:]]
            packs |= record.packs
        return []


def _age(record: _Record) -> tuple[float, str]:
    """The youngest first."""
    return -record.entry.modified, record.entry.name
