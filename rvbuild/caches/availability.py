"""Whether a cache has a result whole, as a key said it.

Knows: records and the packs that they name. Must not know: how a signature is verified.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Protocol, Self

from attrs import frozen

from rvbuild.caches.names import realisation_name, target_name
from rvbuild.caches.shipment import Shipment, TargetShipment
from rvbuild.core.advice import Hint
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Untrusted, VerificationError
from rvbuild.core.ports.cache import Cache
from rvbuild.core.realisation import Realisation
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Statement


class Open(Protocol):
    """Opens an envelope."""

    def __call__(self, data: bytes, payload_type: str, where: str) -> object:
        """The JSON that a key signed which counts here.

        Raises:
            VerificationError: none did.
        """
        ...


@frozen(kw_only=True)
class Lack:
    """Something that a cache does not have, or not whole.

    Attributes:
        label: What people call it.
        problem: What of it is lacking.
        hint: What to do about it, if pushing again does not help.
    """

    label: str
    problem: str
    hint: Hint | None = None

    @classmethod
    def of(cls, label: str, error: VerificationError) -> Self:
        """A record that does not say what it should, since it is another's, or damaged."""
        if isinstance(error, Untrusted):
            why = "; ".join((error.message, *error.details))
            return cls(label=label, problem=f"its record does not count: {why}", hint=error.hint)
        return cls(label=label, problem=f"its record is damaged: {error.message}")


def find_statement(
    cache: Cache, key: str, shipment: Shipment, open_record: Open, valid_ids: Container[str]
) -> Statement | Lack:
    """What a key said of a result, if it says what is to be said now and the cache has all of it.

    What was taken from a cache then, or made of such, and built here since is to be said again; so
    is what is on a word that does not stand any more, and what a compile cache helped to make then.

    Args:
        cache: Where to look.
        key: The name of the key.
        shipment: The result, with the origin that is to be said of it now.
        open_record: Opens what the key signed.
        valid_ids: The ids of the keys that are known and were not revoked.

    Raises:
        CacheError: the cache does not answer.
    """
    name = realisation_name(key, shipment.realisation.derivation)
    record = cache.record(name)
    if record is None:
        return Lack(label=shipment.label, problem="no record of it")
    try:
        statement = Statement.of(open_record(record, REALISATION, name))
    except VerificationError as error:
        return Lack.of(shipment.label, error)
    if not _still_says((statement, *statement.checks), shipment, valid_ids):
        return Lack(label=shipment.label, problem="its record says something else")
    problem = _lost(cache, statement.packs)
    return Lack(label=shipment.label, problem=problem) if problem else statement


def find_lacks(
    cache: Cache, key: str, target: TargetShipment, open_record: Open, valid_ids: Container[str]
) -> Iterator[Lack]:
    """What a cache lacks of a target and of all below it; arguments are those of `find_statement`.

    Raises:
        CacheError: the cache does not answer.
    """
    for shipment in target.results:
        there = find_statement(cache, key, shipment, open_record, valid_ids)
        if isinstance(there, Lack):
            yield there
    lack = _closure_lack(cache, key, target, open_record, valid_ids)
    if lack is not None:
        yield lack


def find_former_statements(
    cache: Cache, key: str, target: TargetShipment, open_record: Open, valid_ids: Container[str]
) -> Iterator[Statement]:
    """What a key's last closure of a target says of steps that are still below it.

    Only what stands, and of which the cache has all. Who pulled most of a target does not have what
    is below; what its former closure says of that is not lost by a push.

    Raises:
        CacheError: the cache does not answer.
    """
    name = target_name(key, target.target)
    record = cache.record(name)
    try:
        former = Closure.of(open_record(record or b"", CLOSURE, name)).statements
    except VerificationError:  # of nobody, damaged, or of another key
        return
    below = {Digest.of(each).hash for each in target.derivations}
    known = [
        each for each in former if each.derivation.hash in below and each.origin.stands(valid_ids)
    ]
    lost = cache.missing({pack for each in known for pack in each.packs})
    yield from (each for each in known if lost.isdisjoint(each.packs))


def _closure_lack(
    cache: Cache, key: str, target: TargetShipment, open_record: Open, valid_ids: Container[str]
) -> Lack | None:
    """What is wrong with the record of a target; None if nothing."""
    name, label = target_name(key, target.target), f"the closure of {target.target}"
    record = cache.record(name)
    if record is None:
        return Lack(label=label, problem="no record of it")
    try:
        closure = Closure.of(open_record(record, CLOSURE, name))
    except VerificationError as error:
        return Lack.of(label, error)
    said = [each for told in closure.statements for each in (told, *told.checks)]
    has_all = all(_still_says(said, shipment, valid_ids) for shipment in target.results)
    if closure.derivation != target.derivation or not has_all:
        return Lack(label=label, problem="its record is of another build")
    problem = _lost(cache, (closure.derivations.digest,))
    return Lack(label=label, problem=problem) if problem else None


def _lost(cache: Cache, packs: tuple[Digest, ...]) -> str:
    lost = cache.missing(packs)
    return f"{len(lost)} of {len(packs)} packs are not there" if lost else ""


def _still_says(
    statements: Iterable[Statement], shipment: Shipment, valid_ids: Container[str]
) -> bool:
    """Whether nothing is to be said that statements do not say; they may tell of more checks."""
    said = {each.derivation: each for each in statements}
    return all(
        each.key in said and _is_worth(said[each.key], each, valid_ids)
        for each in (shipment.realisation, *shipment.checks.values())
    )


def _is_worth(former: Statement, now: Realisation, valid_ids: Container[str]) -> bool:
    """Whether a former statement is worth as much as one that is made now."""
    built = former.origin.is_built or not now.origin.is_built
    alone = former.origin.is_independent or not now.origin.is_independent
    pure = not former.accelerated or now.accelerated
    same = former.output.root == now.output
    return same and built and alone and pure and former.origin.stands(valid_ids)
