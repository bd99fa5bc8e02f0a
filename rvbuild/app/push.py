"""Brings results into caches, for others.

Knows: which caches are written. Must not know: which results belong to a target, who signs, how
they travel.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from rvbuild.app.cache_notes import note_push
from rvbuild.app.former_targets import former_targets
from rvbuild.app.owed import owed_shipments
from rvbuild.app.push_signer import push_signer, tell_untrusted
from rvbuild.app.pusher import PushTally, pusher_of
from rvbuild.app.run_caches import PATIENCE, RunCache, RunCaches, opened
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, Unfit, share_lookup
from rvbuild.app.targets import link_unedited
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.errors import RvbuildError, UsageError, raise_failures
from rvbuild.core.graph import Target
from rvbuild.core.ports.signer import Signer

__all__ = [
    "CachePush",
    "PushView",
    "push_former",
    "push_targets",
    "shipments_of",
    "written_caches",
]


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
        others: Targets that were built here and are not pushed, each with the reason.
    """

    pushes: tuple[CachePush, ...]
    failures: tuple[RvbuildError, ...] = ()
    others: tuple[tuple[str, str], ...] = ()

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
    with opened(session, names, wait=PATIENCE) as caches:
        written = written_caches(caches, names)
        signer = push_signer(session, caches)
        tell_untrusted(session, caches.keyring, signer.public)
        return _push_all(session, written, signer, shipments_of(session, targets))


def push_former(
    session: Session, days: float | None = None, names: tuple[str, ...] = ()
) -> PushView:
    """Push every target that somebody holds here by a link, and that would be built so now.

    Args:
        session: Whose store it is.
        days: Only those whose result came within so many days; None: all.
        names: As for `push_targets`.

    Raises:
        UsageError: nobody signs; no cache is written.
    """
    with opened(session, names, wait=PATIENCE) as caches:
        written = written_caches(caches, names)
        signer = push_signer(session, caches)
        tell_untrusted(session, caches.keyring, signer.public)
        former = former_targets(session, days)
        others = [(name, "it would be built otherwise now") for name in former.others]
        shipments = []
        if former.linked is not None:
            packer = Packer(session, former.linked, share_lookup(session))
            for packed in map(packer.target, former.targets):
                if isinstance(packed, Unfit):
                    others.append((packed.target, packed.problem))
                else:
                    shipments.append(packed)
        view = _push_all(session, written, signer, tuple(shipments))
        return evolve(view, others=tuple(others))


def written_caches(caches: RunCaches, names: tuple[str, ...] = ()) -> list[RunCache]:
    """The caches to push into: those of some names, else those that are set to be written.

    Raises:
        UsageError: there is none.
    """
    written = [each for each in caches.caches if each.text.writes or names]
    if not written and any(text.writes for text in caches.out_of_reach.values()):
        msg = "the run is offline, and no cache that is set to be written is on this machine"
        raise UsageError(msg, where="caches", hint="see the setting `offline`")
    if not written:
        msg = "no cache is set to be written"
        hint = "set one, as in `caches.team = 'read+write ADDRESS'`"
        raise UsageError(msg, where="caches", hint=hint)
    return written


def _push_all(
    session: Session,
    written: Iterable[RunCache],
    signer: Signer,
    shipments: tuple[TargetShipment, ...],
) -> PushView:
    pushes, failures = [], []
    for cache in written:
        try:
            pushes.append(_push(session, cache, signer, shipments))
        except RvbuildError as error:
            failures.append(error)
    return PushView(pushes=tuple(pushes), failures=tuple(failures))


def shipments_of(session: Session, targets: tuple[Target, ...]) -> tuple[TargetShipment, ...]:
    """Targets, all of which can be pushed.

    Raises:
        UsageError: one cannot.
    """
    _, linked = link_unedited(session, targets, checks=True)
    packer = Packer(session, linked, share_lookup(session))
    shipments = []
    for packed in map(packer.target, targets):
        if isinstance(packed, Unfit):
            packed.refuse()
        shipments.append(packed)
    return tuple(shipments)


def _push(
    session: Session, cache: RunCache, signer: Signer, shipments: tuple[TargetShipment, ...]
) -> CachePush:
    tally = PushTally(session.report)
    with session.store.locks.shared():
        owed = owed_shipments(session, cache, shipments)
        pusher_of(session, cache, signer, tally).push((*shipments, *owed))
        note_push(session, cache, tally.sent, brought=(each.target for each in shipments))
    return CachePush(cache=cache.name, results=tally.count, sent=tally.sent, there=tally.there)
