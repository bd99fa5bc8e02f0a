"""Brings results into a cache, so that others can take them.

Knows: packs, records, in which order they are written. Must not know: which results, who signs how.

The rules:

1. The packs of a result are there before its record is; a target's closure comes last. So no reader
   finds a record without its bytes, however a push ends.
2. A closure keeps what the former one of this key says of steps that are still below the target:
   who pulled the target does not have them.
3. A record that is there proves nothing of packs: each is asked for, and pushing again heals. One
   that somebody edited is no record.
4. What the cache has whole is not sent.
5. What was taken from a cache is said to be so, with the keys on whose word it was
   (`Realisation.origin_for`).
6. A push has a lease while it runs, and a collection has one: neither begins beside the other. A
   push that lost its lease writes no record any more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import BinaryIO

from attrs import evolve, frozen

from rvbuild.caches.availability import Open, find_former_statements, find_statement
from rvbuild.caches.closure_pack import write_derivations
from rvbuild.caches.lease import Lease
from rvbuild.caches.names import realisation_name, target_name
from rvbuild.caches.parallel import workers
from rvbuild.caches.shipment import Shipment, TargetShipment
from rvbuild.caches.tenure import Tenure
from rvbuild.caches.tree_packs import packed_tree, plan_packs
from rvbuild.core.errors import StoreError
from rvbuild.core.ports.blob_batches import BatchedCas
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.core.ports.trees import Trees
from rvbuild.core.realisation import Realisation
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Pack, PackedTree, Statement
from rvbuild.core.system_fault import Site, hint_for

AT_ONCE = 4
"""Packs that are made and sent at the same time."""

Sign = Callable[[str, bytes], bytes]
"""The record of a payload of a type."""

Pushed = Callable[[str, int, int], None]
"""Called with a result's label, and the bytes that were sent and those that were there."""


@frozen(kw_only=True)
class Pusher:
    """Pushes into one cache.

    Attributes:
        cache: Where to.
        cas: The store's blobs.
        trees: The store's trees.
        key_id: The id of the key that signs.
        valid_ids: The ids of the keys that are known here and were not revoked.
        sign: Makes records.
        open: Opens those that were made before.
        pushed: Told of each result.
        lease: Keeps collections away.
        folder: Where packs take shape; None: where this machine has temporary files.
    """

    cache: CollectableCache
    cas: BatchedCas
    trees: Trees
    key_id: str
    valid_ids: Collection[str]
    sign: Sign
    open: Open
    pushed: Pushed
    lease: Lease
    folder: str | None = None

    @property
    def key(self) -> str:
        """The name of the key that signs."""
        return self.key_id.partition(":")[0]

    def push(self, targets: Sequence[TargetShipment]) -> None:
        """Push targets and all below them; each result once.

        Raises:
            CacheBusy: the cache is being collected, or the lease was lost meanwhile.
            CacheError: the cache does not take it.
            RvbuildError: the store lacks something, or nobody signs.
        """
        with self.lease.taken() as tenure:
            said: dict[str, Statement] = {}
            for target in targets:
                for shipment in target.results:
                    name = shipment.realisation.derivation
                    if name not in said:
                        said[name] = self._result(shipment, tenure)
                self._closure(target, said, tenure)

    def push_result(self, shipment: Shipment) -> None:
        """Push one result, as soon as it is there.

        Raises:
            As `push` does.
        """
        with self.lease.taken() as tenure:
            self._result(shipment, tenure)

    def _result(self, stored: Shipment, tenure: Tenure) -> Statement:
        """Push a result with its checks; what is said of it then."""
        shipment = stored.said_by(self.key_id, self.valid_ids)
        name = realisation_name(self.key, shipment.realisation.derivation)
        there = find_statement(self.cache, self.key, shipment, self.open, self.valid_ids)
        if isinstance(there, Statement):
            self.pushed(shipment.label, 0, there.transfer)
            return there
        made = partial(_statement, key=self.key)
        result = made(shipment.label, shipment.realisation, self._tree(shipment.realisation))
        checks = [made(label, each, self._tree(each)) for label, each in shipment.checks.items()]
        closure = shipment.closure_milliseconds
        statement = evolve(result, closure_milliseconds=closure, checks=tuple(checks))
        self._record(name, self.sign(REALISATION, statement.encode()), tenure)
        self.pushed(shipment.label, statement.transfer, 0)
        return statement

    def _tree(self, realisation: Realisation) -> PackedTree:
        """Push a tree's packs."""
        tree = self.trees.tree(realisation.output)
        writers = [partial(plan.write, self.cas) for plan in plan_packs(tree)]
        with workers(AT_ONCE) as pool:
            packs = list(pool.map(self._pack, writers))
        return packed_tree(tree, packs)

    def _pack(self, write: Callable[[BinaryIO], Pack]) -> Pack:
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                pack = write(file)
                file.seek(0)
                self.cache.write(pack.digest, file)
        except OSError as error:
            msg = f"a pack cannot be made: {error.strerror or error}"
            hint = hint_for(error.errno, Site.STORE)
            raise StoreError(msg, where=self.folder, hint=hint) from error
        return pack

    def _closure(
        self, target: TargetShipment, said: Mapping[str, Statement], tenure: Tenure
    ) -> None:
        """Say what was below a target."""
        pack = self._pack(partial(write_derivations, target.derivations))
        statements = {
            each.derivation.hash: each
            for each in find_former_statements(
                self.cache, self.key, target, self.open, self.valid_ids
            )
        }
        names = [each.realisation.derivation for each in target.results]
        statements |= {name: said[name] for name in names}
        closure = Closure(
            target=target.target,
            key=self.key,
            derivation=target.derivation,
            statements=tuple(statements.values()),
            derivations=pack,
        )
        record = self.sign(CLOSURE, closure.encode())
        self._record(target_name(self.key, target.target), record, tenure)

    def _record(self, name: str, record: bytes, tenure: Tenure) -> None:
        """Write a record, unless somebody may be removing what it names (rule 6)."""
        tenure.check()
        self.cache.write_record(name, record)


def _statement(label: str, realisation: Realisation, output: PackedTree, *, key: str) -> Statement:
    return Statement(
        derivation=realisation.key,
        label=label,
        key=key,
        builder=realisation.builder,
        output=output,
        action=realisation.action,
        milliseconds=realisation.milliseconds,
        accelerated=realisation.accelerated,
        origin=realisation.origin,
    )
