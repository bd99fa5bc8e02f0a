"""Brings results into a cache, so that others can take them.

Knows: packs, records, in which order they are written. Must not know: which results, who signs how.

The rules:

1. The packs of a result are there before its record is; a target's closure comes last. So no reader
   finds a record without its bytes, however a push ends.
2. A record that is there proves nothing of packs: each is asked for, and pushing again heals.
3. What the cache has whole is not sent.
4. A push has a lease while it runs, and a collection has one: neither begins beside the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO

from attrs import evolve, frozen

from rvbuild.caches.lease import Lease
from rvbuild.caches.names import realisation_name, target_name
from rvbuild.caches.pack import write_pack
from rvbuild.caches.tree_packs import packed_tree, plan_packs
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import VerificationError
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.core.ports.cas import Cas
from rvbuild.core.ports.trees import Trees
from rvbuild.core.realisation import Realisation
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Pack, PackedTree, Statement

AT_ONCE = 4
"""Packs that are made and sent at the same time."""

Sign = Callable[[str, bytes], bytes]
"""The record of a payload of a type."""

Pushed = Callable[[str, int, int], None]
"""Called with a result's label, and the bytes that were sent and those that were there."""


@frozen(kw_only=True)
class Shipment:
    """A result that is pushed.

    Attributes:
        label: What people call it.
        realisation: What the store says of it.
        closure_milliseconds: How long making it and all below it took.
        checks: Its checks, by label.
    """

    label: str
    realisation: Realisation
    closure_milliseconds: int = 0
    checks: Mapping[str, Realisation]


@frozen(kw_only=True)
class TargetShipment:
    """A target, with all that was below it.

    Attributes:
        target: ``runc-riscv64``.
        derivation: The digest of its result.
        results: It, and the steps below it: they are pushed first.
        derivations: The canonical bytes of every derivation of the closure.
    """

    target: str
    derivation: str
    results: tuple[Shipment, ...]
    derivations: tuple[bytes, ...]


@frozen(kw_only=True)
class Pusher:
    """Pushes into one cache.

    Attributes:
        cache: Where to.
        cas: The store's blobs.
        trees: The store's trees.
        key: The name of the key that signs.
        sign: Makes records.
        pushed: Told of each result.
        lease: Keeps collections away.
    """

    cache: CollectableCache
    cas: Cas
    trees: Trees
    key: str
    sign: Sign
    pushed: Pushed
    lease: Lease

    def push(self, targets: Sequence[TargetShipment]) -> None:
        """Push targets and all below them; each result once.

        Raises:
            CacheError: the cache does not take it, or is being collected.
            RvbuildError: the store lacks something, or nobody signs.
        """
        with self.lease.taken():
            said: dict[str, Statement] = {}
            for target in targets:
                for shipment in target.results:
                    name = shipment.realisation.derivation
                    if name not in said:
                        said[name] = self._result(shipment)
                self._closure(target, said)

    def _result(self, shipment: Shipment) -> Statement:
        """Push a result with its checks; what is said of it then."""
        name = realisation_name(self.key, shipment.realisation.derivation)
        former = self._former(name, shipment)
        if former is not None:
            self.pushed(shipment.label, 0, former.transfer)
            return former
        made = partial(_statement, key=self.key)
        result = made(shipment.label, shipment.realisation, self._tree(shipment.realisation))
        checks = [made(label, each, self._tree(each)) for label, each in shipment.checks.items()]
        closure = shipment.closure_milliseconds
        statement = evolve(result, closure_milliseconds=closure, checks=tuple(checks))
        self.cache.write_record(name, self.sign(REALISATION, statement.encode()))
        self.pushed(shipment.label, statement.transfer, 0)
        return statement

    def _former(self, name: str, shipment: Shipment) -> Statement | None:
        """What this key said of the same before, if the cache still has all of it.

        Whoever reads it verifies it; here it only says which packs there should be.
        """
        record = self.cache.record(name)
        if record is None:
            return None
        try:
            former = Statement.decode(Envelope.decode(record).payload)
        except VerificationError:
            return None
        outputs = {shipment.label: shipment.realisation, **shipment.checks}
        said = {each.label: each for each in (former, *former.checks)}
        stands = said.keys() == outputs.keys() and all(
            _still_says(said[label], realisation) for label, realisation in outputs.items()
        )
        return former if stands and not self.cache.missing(former.packs) else None

    def _tree(self, realisation: Realisation) -> PackedTree:
        """Push a tree's packs."""
        tree = self.trees.tree(realisation.output)
        writers = [partial(plan.write, self.cas) for plan in plan_packs(tree)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            packs = list(pool.map(self._pack, writers))
        return packed_tree(tree, packs)

    def _pack(self, write: Callable[[BinaryIO], Pack]) -> Pack:
        with tempfile.TemporaryFile() as file:
            pack = write(file)
            file.seek(0)
            self.cache.write(pack.digest, file)
        return pack

    def _closure(self, target: TargetShipment, said: Mapping[str, Statement]) -> None:
        """Say what was below a target."""
        blobs = [_length_first(each) for each in target.derivations]
        pack = self._pack(
            lambda file: Pack(write_pack(blobs, sum(map(len, blobs)), file), len(blobs))
        )
        closure = Closure(
            target=target.target,
            key=self.key,
            derivation=target.derivation,
            statements=tuple(said[each.realisation.derivation] for each in target.results),
            derivations=pack,
        )
        record = self.sign(CLOSURE, closure.encode())
        self.cache.write_record(target_name(self.key, target.target), record)


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


def _still_says(former: Statement, now: Realisation) -> bool:
    """Whether a former statement is worth as much as one that is made now.

    What was taken from a cache then and built here since is worth more, and so is what was made
    without a compile cache since.
    """
    built = former.origin.kind == "built" or now.origin.kind != "built"
    pure = not former.accelerated or now.accelerated
    return former.output.root == now.output and built and pure


def _length_first(data: bytes) -> bytes:
    """Bytes behind their number, eight bytes long, the lowest first."""
    return len(data).to_bytes(8, "little") + data
