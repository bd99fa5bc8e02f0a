"""Builders that share caches: each has a workshop of its own, and a key.

Signatures here are none: an envelope says whose it is, and is believed. What a signature proves is
`trust`'s to test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from attrs import define, evolve, field, frozen
from workshop import Workshop

from rvbuild.caches.arrival import Arrival
from rvbuild.caches.budget import StallBudget
from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.lease import Lease
from rvbuild.caches.member import Member, ResumableCache
from rvbuild.caches.push import Pusher
from rvbuild.caches.shipment import Shipment, TargetShipment
from rvbuild.caches.substitutes import CacheSubstitutes, Terms
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope, Signature
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.engine.build import Built

NOW = 1_800_000_000.0


@frozen
class CountedCache(CacheDecorator):
    """A cache that notes each question, and asks ``before`` first."""

    inner: VerifyingCache
    questions: list[str] = field(factory=list)
    before: Callable[[str], None] = field(default=lambda _question: None)

    def record(self, name: str) -> bytes | None:
        self._note(name)
        return self.inner.record(name)

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        self._note(item.hash)
        return self.inner.read(item, begin)

    def resume(self, arrival: Arrival) -> Iterator[bytes]:
        self._note(arrival.item.hash)
        return self.inner.resume(arrival)

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        self._note("missing")
        return self.inner.missing(objects)

    def _note(self, question: str) -> None:
        self.questions.append(question)
        self.before(question)


@define
class Ticks:
    """A clock that goes on when somebody says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def member(cache: ResumableCache, clock: Ticks, name: str = "team", seconds: float = 5) -> Member:
    return Member(name=name, cache=cache, budget=StallBudget(seconds, clock), pause=clock.wait)


def verify(data: bytes, payload_type: str, _where: str) -> tuple[str, object]:
    """Believe an envelope."""
    envelope = Envelope.decode(data)
    assert envelope.payload_type == payload_type
    return envelope.signatures[0].key_id, json.loads(envelope.payload)


def key_id(key: str) -> str:
    """The id of the key of that name: nobody looks at fingerprints here."""
    return f"{key}:0123456789abcdef"


def signed_by(key: str) -> Callable[[str, bytes], bytes]:
    def sign(payload_type: str, payload: bytes) -> bytes:
        signature = Signature(key_id(key), b"")
        envelope = Envelope(payload=payload, payload_type=payload_type, signatures=(signature,))
        return envelope.encode()

    return sign


def payload(record: bytes) -> Any:  # noqa: ANN401 - what JSON holds
    """What somebody signed."""
    return json.loads(Envelope.decode(record).payload)


def terms(
    *keys: str, needed: int = 1, revoked: Collection[str] = (), accelerated: bool = False
) -> Terms:
    """These keys are known, and asked for; ``revoked`` ones are no longer valid."""
    return Terms(
        keys=keys,
        acceptance=Acceptance(needed, keys),
        valid_ids=frozenset(key_id(key) for key in keys if key not in revoked),
        accelerated=accelerated,
    )


def substitutes(
    shop: Workshop, members: Sequence[Member], rules: Terms, target: Derivation | None = None
) -> CacheSubstitutes:
    """Let a workshop take results; ``target`` is the result of the target ``app``."""
    clock = members[0].budget.clock
    asked = CacheSubstitutes(
        members=members,
        terms=rules,
        verify=verify,
        report=shop.events.append,
        clock=clock,
        stop=lambda: None,
        targets={target.digest: "app"} if target else {},
    )
    shop.substitutes = asked
    return asked


def push(  # noqa: PLR0913 - what differs between builders
    shop: Workshop,
    built: Built,
    cache: CollectableCache,
    target: Step,
    key: str = "ci",
    *,
    known: Collection[str] = (),
    sign: Callable[[str, bytes], bytes] | None = None,
    lease: Lease | None = None,
) -> dict[str, int]:
    """Push a target ``app`` that was built, and every step below it; bytes sent by label.

    ``known`` are the other keys that are valid for who pushes.
    """
    sent: dict[str, int] = {}

    def pushed(label: str, size: int, _there: int) -> None:
        sent[label] = size

    steps = [each for each in shop.known.values() if isinstance(each, Step)]
    checks = [each for each in steps if each.is_check and each.digest in built.realised]
    results = tuple(
        Shipment(
            label=step.label,
            realisation=evolve(built.realised[step.digest], builder=key),
            closure_milliseconds=1000,
            checks={
                check.label: built.realised[check.digest]
                for check in checks
                if step.digest in check.inputs and step == target
            },
        )
        for step in steps
        if not step.is_check and step.digest in built.realised
    )
    Pusher(
        cache=cache,
        cas=shop.store.cas,
        trees=shop.store.trees,
        key_id=key_id(key),
        valid_ids=frozenset(map(key_id, (key, *known))),
        sign=sign or signed_by(key),
        open=lambda data, kind, where: verify(data, kind, where)[1],
        pushed=pushed,
        lease=lease or Lease(cache, "team", lambda: NOW, key),
    ).push(
        [
            TargetShipment(
                target="app",
                derivation=target.digest,
                results=results,
                derivations=tuple(each.encode() for each in shop.known.values()),
            )
        ]
    )
    return sent
