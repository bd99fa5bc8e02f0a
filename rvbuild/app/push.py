"""Brings results into caches, for others.

Knows: which results belong to a target. Must not know: how they travel.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NoReturn

from attrs import define, field, frozen

from rvbuild.app.cache_notes import note_push
from rvbuild.app.run_caches import RunCache, RunCaches, opened, signed_record, signer_of
from rvbuild.app.session import Session
from rvbuild.app.targets import link_unedited
from rvbuild.caches.lease import Lease
from rvbuild.caches.push import Pusher, Shipment, TargetShipment
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Step
from rvbuild.core.errors import RvbuildError, UsageError, raise_failures
from rvbuild.core.events import Finished, Phase, Reporter
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.ports.signer import Signer
from rvbuild.core.realisation import Realisation
from rvbuild.engine.lookup import StoreLookup

_FIRST_DAY = 1_767_225_600
"""2026-01-01: a clock that says an earlier day was never set."""


@frozen(kw_only=True)
class CachePush:
    """What one cache took.

    Attributes:
        cache: Its name.
        results: How many results are there now.
        sent: Bytes that were sent.
        there: Bytes that were there before.
    """

    cache: str
    results: int
    sent: int
    there: int


@frozen(kw_only=True)
class PushView:
    """What pushing left.

    Attributes:
        pushes: One for each cache that took all.
        failures: Why others did not.
    """

    pushes: tuple[CachePush, ...]
    failures: tuple[RvbuildError, ...] = ()

    def refuse_failures(self) -> None:
        """See that every cache took all.

        Raises:
            RvbuildError: the only failure.
            RunFailed: there are several.
        """
        raise_failures(self.failures, self.pushes, kept=True)


def push_targets(
    session: Session, targets: tuple[Target, ...], names: tuple[str, ...] = ()
) -> PushView:
    """Push targets with their checks, and every step below them that the store has.

    The right to sign and to write is tried before anything is made or sent.

    Args:
        session: Whose store it is.
        targets: What to push; it has been built.
        names: Into these caches; those that are set to be written, if there are none.

    Raises:
        UsageError: nobody signs; no cache is written; a target was not built, or a compile cache
            helped.
    """
    with opened(session, names) as caches:
        written = [each for each in caches.caches if each.text.writes or names]
        if not written:
            msg = "no cache is set to be written"
            hint = "set one, as in `caches.team = 'read+write ADDRESS'`"
            raise UsageError(msg, where="caches", hint=hint)
        signer = _signer(session, caches)
        shipments = _shipments(session, targets)
        pushes, failures = [], []
        for cache in written:
            try:
                pushes.append(_push(session, cache, signer, shipments))
            except RvbuildError as error:
                failures.append(error)
    return PushView(pushes=tuple(pushes), failures=tuple(failures))


def _signer(session: Session, caches: RunCaches) -> Signer:
    signer = signer_of(session, caches)
    if signer is None:
        msg = "nobody signs: results are believed because of a key"
        hint = advise("set `signing-key`, or ", Remedy.NEW_KEY)
        raise UsageError(msg, where="signing-key", hint=hint)
    if caches.keyring.revocation(signer.public):
        msg = f"the key {signer.public.key_id} was revoked: nobody takes what it signs"
        raise UsageError(
            msg, where="signing-key", hint=advise("sign with another; ", Remedy.NEW_KEY)
        )
    if time.time() < _FIRST_DAY:
        msg = "the clock of this machine was never set"
        raise UsageError(msg, hint="set it (`timedatectl`, `date`): leases have times")
    return signer


def _push(
    session: Session, cache: RunCache, signer: Signer, shipments: tuple[TargetShipment, ...]
) -> CachePush:
    tally = _Tally(session.report)
    name = signer.public.name
    pusher = Pusher(
        cache=cache.cache,
        cas=session.store.cas,
        trees=session.store.trees,
        key=name,
        sign=partial(signed_record, signer),
        pushed=tally,
        lease=Lease(cache.cache, cache.address, time.time, name),
    )
    with session.store.locks.shared():
        pusher.push(shipments)
        note_push(session, {cache.name: cache.text}, cache.name, tally.sent)
    return CachePush(cache=cache.name, results=tally.count, sent=tally.sent, there=tally.there)


@define
class _Tally:
    """Adds up what is pushed, and reports each result."""

    report: Reporter
    count: int = 0
    sent: int = 0
    there: int = 0
    _last: float = field(factory=time.monotonic)

    def __call__(self, label: str, sent: int, there: int) -> None:
        now = time.monotonic()
        how = "pushed" if sent else "there"
        self.report(Finished(label, Phase.PUSH, how, now - self._last, sent or there))
        self.count, self.sent, self.there = self.count + 1, self.sent + sent, self.there + there
        self._last = now


def _shipments(session: Session, targets: tuple[Target, ...]) -> tuple[TargetShipment, ...]:
    _, linked = link_unedited(session, targets, checks=True)
    settings = session.workspace.settings
    lookup = StoreLookup(
        session.store,
        release=not settings.share_accelerated,
        builder=settings.builder,
        accepts=session.accepts,
    )
    packer = _Packer(session, linked, lookup)
    return tuple(packer.target(target) for target in targets)


@define
class _Packer:
    """Finds what the store has of targets."""

    session: Session
    linked: Linked
    lookup: StoreLookup
    _made: dict[str, Realisation | None] = field(factory=dict)

    def target(self, target: Target) -> TargetShipment:
        """A target, its checks, and every step below that was made.

        Raises:
            UsageError: the target was not made, or a compile cache helped.
        """
        goal, checks = self.linked.results[target], self.linked.checks[target]
        if self._realisation(goal) is None:
            self._refuse(target, goal)
        below = list(self._below(goal))
        steps = {each: made for each in below if (made := self._step(each))}
        return TargetShipment(
            target=str(target),
            derivation=goal,
            results=tuple(
                Shipment(
                    label=self.linked.derivations[digest].label,
                    realisation=made,
                    closure_milliseconds=self._milliseconds(digest),
                    checks=self._checks(checks) if digest == goal else {},
                )
                for digest, made in steps.items()
            ),
            derivations=tuple(self.linked.derivations[each].encode() for each in (*below, *checks)),
        )

    def _checks(self, checks: Iterable[str]) -> Mapping[str, Realisation]:
        made = {each: self._realisation(each) for each in checks}
        return {self.linked.derivations[c].label: each for c, each in made.items() if each}

    def _below(self, goal: str) -> Iterator[str]:
        """The goal and all derivations below it, each once, without recursion."""
        stack, seen = [goal], {goal}
        while stack:
            digest = stack.pop()
            yield digest
            for given in self.linked.derivations[digest].inputs:
                if given not in seen:
                    seen.add(given)
                    stack.append(given)

    def _milliseconds(self, goal: str) -> int:
        made = (self._step(digest) for digest in self._below(goal))
        return sum(each.milliseconds for each in made if each)

    def _step(self, digest: str) -> Realisation | None:
        if not isinstance(self.linked.derivations[digest], Step):
            return None
        return self._realisation(digest)

    def _realisation(self, digest: str) -> Realisation | None:
        if digest not in self._made:
            self._made[digest] = self.lookup(digest)
        return self._made[digest]

    def _refuse(self, target: Target, goal: str) -> NoReturn:
        also = self.session.store.realisations.realisation(goal)
        if also is not None and also.accelerated:
            msg = "a compile cache helped to make it, and such results are not shared"
            hint = "build it as a release does, without one, or set `share-accelerated`"
            raise UsageError(msg, where=str(target), hint=hint)
        msg = "it has not been built here as it is now"
        raise UsageError(msg, where=str(target), hint=advise(Remedy.BUILD.of(str(target))))
