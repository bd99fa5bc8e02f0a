"""Brings results into caches, for others, and looks whether they are there.

Knows: who signs, and which caches are written. Must not know: which results belong to a target, how
they travel.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from attrs import define, evolve, field, frozen

from rvbuild.app.cache_notes import note_push
from rvbuild.app.former_targets import former_targets
from rvbuild.app.owed import owed_shipments
from rvbuild.app.run_caches import RunCache, RunCaches, opened, signed_record, signer_of
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, Unfit, share_lookup
from rvbuild.app.signing_key import KeyFolders, acceptance, refuse_no_signer
from rvbuild.app.targets import link_unedited
from rvbuild.caches.availability import Lack, find_lacks
from rvbuild.caches.lease import Lease
from rvbuild.caches.push import Pusher
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import (
    CacheFault,
    CacheRefused,
    Malformed,
    RvbuildError,
    UsageError,
    raise_failures,
)
from rvbuild.core.events import Finished, Noticed, Phase, Reporter
from rvbuild.core.graph import Target
from rvbuild.core.ports.signer import Signer
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.keyring import Keyring, KnownKey
from rvbuild.trust.verify import verify_statement

__all__ = [
    "CachePush",
    "Lack",
    "PushCheck",
    "PushView",
    "check_pushed",
    "push_former",
    "push_signer",
    "push_targets",
    "pusher_of",
    "tell_untrusted",
    "written_caches",
]

_WAIT = 60.0
"""Seconds between two signs of progress. A server says nothing while it brings a large object to
its disk, and who pushes has nothing better to do."""

_KINDS = ("build", "release")
_FIRST_DAY = 1_767_225_600
"""2026-01-01: a clock that says an earlier day was never set."""


_NAMESAKE_HINT = (
    "let each project have a place of its own, or sign with a key of another name; remove the "
    "record if nobody needs it"
)


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


@frozen(kw_only=True)
class PushCheck:
    """What a cache lacks of targets.

    Attributes:
        cache: Its name.
        address: Where it is, without a login.
        results: How many results it should have.
        lacks: What is not there, or not whole.
    """

    cache: str
    address: str
    results: int
    lacks: tuple[Lack, ...]

    @property
    def fault(self) -> CacheFault | None:
        """What is wrong, if something is."""
        if not self.lacks:
            return None
        msg = f"the cache {self.cache} lacks {len(self.lacks)} of {self.results} records"
        hint = "push again: what is there is not sent a second time"
        return CacheFault(msg, where=self.address, hint=hint)


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
    with opened(session, names, wait=_WAIT) as caches:
        written = written_caches(caches, names)
        signer = push_signer(session, caches)
        tell_untrusted(session, caches.keyring, signer.public)
        return _push_all(session, written, signer, _shipments(session, targets))


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
    with opened(session, names, wait=_WAIT) as caches:
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


def check_pushed(
    session: Session, targets: tuple[Target, ...], names: tuple[str, ...] = ()
) -> list[PushCheck]:
    """Look whether caches have targets, their checks, and every step below that the store has.

    Nothing is sent. What counts are the records of the key that signs here, else those of any
    trusted key, whichever has the most of a cache.

    Raises:
        UsageError: no cache is written; a target was not built here.
        CacheError: a cache does not answer.
    """
    with opened(session, names, wait=_WAIT) as caches:
        written = written_caches(caches, names)
        shipments = _shipments(session, targets)
        signer = signer_of(session, caches)
        known = (each.public.name for each in caches.keyring.known)
        keys = (signer.public.name,) if signer else tuple(known)
        return [_check(cache, keys, shipments, caches.keyring) for cache in written]


def _check(
    cache: RunCache, keys: tuple[str, ...], shipments: tuple[TargetShipment, ...], keyring: Keyring
) -> PushCheck:
    read, valid = partial(_read, keyring), keyring.valid_ids
    lists = [
        [lack for each in shipments for lack in find_lacks(cache.cache, key, each, read, valid)]
        for key in keys
    ]
    records = sum(len(each.results) + 1 for each in shipments)
    nobody = [Lack(label=each.target, problem="no key is trusted here") for each in shipments]
    fewest: list[Lack] = min(lists, key=len) if lists else nobody
    return PushCheck(
        cache=cache.name,
        address=cache.address,
        results=records,
        lacks=tuple(fewest),
    )


def _read(keyring: Keyring, data: bytes, payload_type: str, where: str) -> object:
    return verify_statement(data, payload_type, keyring, where).body


def _read_own(key: PublicKey, address: str, data: bytes, payload_type: str, where: str) -> object:
    """What a key said before, which a push says again.

    Raises:
        VerificationError: it did not say that; then a push writes over it.
        CacheRefused: somebody else's key of the same name did.
    """
    with suppress(Malformed):
        namesake = Envelope.decode(data).namesake(key.name, (key.key_id,))
        if namesake:
            msg = f"its record {where} is signed by {namesake}, another key of that name"
            details = (f"the key that signs here: {key.key_id}",)
            raise CacheRefused(msg, where=address, details=details, hint=_NAMESAKE_HINT)
    return _read(Keyring((KnownKey(key, ()),)), data, payload_type, where)


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


def _shipments(session: Session, targets: tuple[Target, ...]) -> tuple[TargetShipment, ...]:
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


def push_signer(session: Session, caches: RunCaches) -> Signer:
    """Who signs what is pushed, which somebody will take.

    Raises:
        UsageError: nobody does, or nobody would take it.
    """
    signer = signer_of(session, caches)
    if signer is None:
        refuse_no_signer()
    if caches.keyring.revocation(signer.public):
        msg = f"the key {signer.public.key_id} was revoked: nobody takes what it signs"
        raise UsageError(
            msg, where="signing-key", hint=advise("sign with another; ", Remedy.NEW_KEY)
        )
    if time.time() < _FIRST_DAY:
        msg = "the clock of this machine was never set"
        raise UsageError(msg, hint="set it (`timedatectl`, `date`): leases have times")
    return signer


def tell_untrusted(session: Session, keyring: Keyring, key: PublicKey) -> None:
    """Say it if builds here take nothing that a key signs; others may."""
    known = keyring.named(key.name)
    settings = session.workspace.settings
    policies = {kind: acceptance(settings, release=kind == "release") for kind in _KINDS}
    others = [kind for kind, each in policies.items() if each.keys and key.name not in each.keys]
    if known is None or known.public != key:
        text = "is not trusted here: builds of this project take nothing that it signs"
    elif others:
        text = f"signs, and is none of the keys that `accept` takes for {' and '.join(others)}"
    else:
        return
    session.report(Noticed(f"key {key.key_id}", text))


def _push(
    session: Session, cache: RunCache, signer: Signer, shipments: tuple[TargetShipment, ...]
) -> CachePush:
    tally = PushTally(session.report)
    with session.store.locks.shared():
        owed = owed_shipments(session, cache, shipments)
        pusher_of(session, cache, signer, tally).push((*shipments, *owed))
        note_push(session, cache, tally.sent, brought=(each.target for each in shipments))
    return CachePush(cache=cache.name, results=tally.count, sent=tally.sent, there=tally.there)


def pusher_of(session: Session, cache: RunCache, signer: Signer, tally: PushTally) -> Pusher:
    """Who pushes into a cache; whoever asks has the store shared."""
    keyring = KeyFolders.of(session.workspace).keyring()
    return Pusher(
        cache=cache.cache,
        cas=session.store.cas,
        trees=session.store.trees,
        key_id=signer.public.key_id,
        valid_ids=keyring.valid_ids,
        sign=partial(signed_record, signer),
        open=partial(_read_own, signer.public, cache.address),
        pushed=tally,
        lease=Lease(cache.cache, cache.address, time.time, signer.public.name),
        folder=session.store.layout.tmp,  # /tmp is often memory, and a pack may have gigabytes
    )


@define
class PushTally:
    """Adds up what is pushed, and reports each result once.

    Attributes:
        report: Where to.
        sent: Bytes that were sent.
        there: Bytes that were there before.
    """

    report: Reporter
    sent: int = 0
    there: int = 0
    _labels: set[str] = field(factory=set)
    _last: float = field(factory=time.monotonic)

    @property
    def count(self) -> int:
        """How many results are there now."""
        return len(self._labels)

    def __call__(self, label: str, sent: int, there: int) -> None:
        now = time.monotonic()
        how = "pushed" if sent else "there"
        self.report(Finished(label, Phase.PUSH, how, now - self._last, sent or there))
        self.sent += sent
        if label not in self._labels:
            self.there += there
        self._labels.add(label)
        self._last = now
