"""The caches of a run: which are asked, on whose word, and who signs what is brought there.

Knows: settings, keys, and how a cache is opened. Must not know: what is asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from attrs import evolve, frozen

from rvbuild.app.cache_notes import public_address
from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.signing_key import KeyFolders, acceptance, find_signer
from rvbuild.caches.budget import StallBudget
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.fetch_watch import Preference
from rvbuild.caches.member import Member
from rvbuild.caches.substitutes import CacheSubstitutes, Terms
from rvbuild.caches.table import open_cache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.caches.wait_watch import WaitWatch, WatchedCache
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.cache_text import CacheText, read_cache_text, split_mode
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import UsageError
from rvbuild.core.events import Noticed
from rvbuild.core.ports.signer import Signer
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.trust.keyring import Keyring
from rvbuild.trust.verify import verify_statement

PATIENCE = 60.0
"""Seconds between two signs of progress of a cache, for whoever pushes, or looks at all of it.

A server says nothing while it brings a large object to its disk, a bucket may take longer for a
list than a build waits, and nothing else goes on meanwhile.
"""


@frozen(kw_only=True)
class RunCache:
    """A cache of a run.

    Attributes:
        name: As it was set.
        text: Where it is, and what for.
        cache: What asks it.
        budget: What it may cost.
    """

    name: str
    text: CacheText
    cache: VerifyingCache
    budget: StallBudget

    @property
    def address(self) -> str:
        """For people: without a login."""
        return public_address(self.text)


@frozen(kw_only=True)
class RunCaches:
    """The caches of a run, those that were set more strongly first.

    Attributes:
        caches: Each of them.
        out_of_reach: Others that are set, by name: this run is offline, and they are not here.
        cancellation: Ends what waits for one.
        keyring: Whom to trust.
    """

    caches: tuple[RunCache, ...]
    out_of_reach: Mapping[str, CacheText]
    cancellation: Cancellation
    keyring: Keyring

    def member(self, cache: RunCache) -> Member:
        """A cache as whoever takes results from it asks it."""
        pause = self.cancellation.pause
        return Member(name=cache.name, cache=cache.cache, budget=cache.budget, pause=pause)


def set_caches(session: Session) -> Mapping[str, CacheText]:
    """The caches that are set, by name."""
    texts = {
        name: read_cache_text(text) for name, text in session.workspace.settings.caches.items()
    }
    return {name: text for name, text in texts.items() if text is not None}


@contextmanager
def opened(
    session: Session, names: tuple[str, ...] = (), *, wait: float | None = None
) -> Iterator[RunCaches]:
    """The caches of a run, until it ends; nobody is asked yet.

    At the end, after an error and an interrupt too, whatever still waits for one is ended.

    Args:
        session: Whose settings they are in.
        names: Only these; all, if there are none.
        wait: Seconds that whoever asks waits for each sign of progress; None: as long as the budget
            of a cache has time.

    Raises:
        UsageError: none has one of the names, or this run is offline and that one is not here; a
            key's file is not of its form.
        CacheRefused: what was set is no address of a cache.
    """
    texts = set_caches(session)
    settings = session.workspace.settings
    absent = {name: text for name, text in texts.items() if settings.offline and _is_far(text)}
    for name in names:
        _refuse_unless_in_reach(name, texts, absent)
    tell = partial(_tell_wait, session, wait) if wait else None
    chosen = {name: texts[name] for name in names or texts if name not in absent}
    cancellation = Cancellation()
    with _transport(session, cancellation) as transport:
        services = CacheServices(
            transport=transport,
            wait=lambda: wait or 0.0,
            environment=os.environ,
            cancellation=cancellation,
        )
        run = RunCaches(
            caches=tuple(
                _opened(
                    name, text, _services_for(name, settings, services), settings.stall_budget, tell
                )
                for name, text in chosen.items()
            ),
            out_of_reach=absent,
            cancellation=cancellation,
            keyring=KeyFolders.of(session.workspace).keyring(),
        )
        try:
            yield run
        finally:
            cancellation.cancel()


def _is_far(text: CacheText) -> bool:
    """Whether a cache is not on this machine."""
    return local_path(text.address) is None


def _refuse_unless_in_reach(
    name: str, texts: Mapping[str, CacheText], absent: Mapping[str, CacheText]
) -> None:
    """See that a cache that somebody named can be asked."""
    if name in absent:
        msg = "the run is offline, and the cache is not on this machine"
        raise UsageError(msg, where=name, hint="see the setting `offline`")
    if name not in texts:
        msg = f"there is no cache {name!r}"
        have = f"there are: {', '.join(texts)}" if texts else "none is set"
        raise UsageError(msg, where="caches", hint=have)


@contextmanager
def _transport(session: Session, cancellation: Cancellation) -> Iterator[Transport]:
    """The network for caches, with one try: what a cache may cost is its budget's matter."""
    if session.workspace.settings.offline:
        yield NoTransport(cancellation)
        return
    patience = Patience(tries=1)
    with Transport(environment=os.environ, cancellation=cancellation, patience=patience) as network:
        yield network


def _services_for(name: str, settings: Settings, services: CacheServices) -> CacheServices:
    """What a cache is reached with; one of a project's file gets no login of the user unasked."""
    if dict(settings.origins("caches"))[f"caches.{name}"].where != settings.project_file:
        return services
    own = (table for where, table in settings.layers("caches") if where != settings.project_file)
    texts = [split_mode(text)[1] for table in own for text in table.values()]
    return evolve(services, own_addresses=tuple(texts))


def _opened(
    name: str,
    text: CacheText,
    services: CacheServices,
    seconds: float,
    tell: Callable[[str], None] | None,
) -> RunCache:
    """A cache for which nobody waits longer than its budget, or whose waits are told."""
    budget = StallBudget(seconds, time.monotonic)
    if tell is None:
        services = evolve(services, wait=lambda: budget.left)
    cache = open_cache(text.address, services)
    if tell is not None:
        watch = WaitWatch(partial(tell, name), services.cancellation.pause, time.monotonic)
        cache = evolve(cache, inner=WatchedCache(cache.inner, watch))
    return RunCache(name=name, text=text, cache=cache, budget=budget)


def _tell_wait(session: Session, wait: float, name: str) -> None:
    text = f"no answer so far; {wait:.0f} s at most are waited for each"
    session.report(Noticed(name, text))


def substitutes(
    session: Session, caches: RunCaches, targets: Mapping[str, str]
) -> CacheSubstitutes | None:
    """Takes results from caches; None: there is nobody to ask, or nobody is trusted.

    Args:
        session: Whose run it is.
        caches: Those to ask.
        targets: The target whose result a derivation is, by derivation digest.

    Raises:
        UsageError: `accept` names a key that is not known.
    """
    settings, release = session.workspace.settings, session.choices.release
    readable = [each for each in caches.caches if each.text.reads]
    # whoever only pulls can make nothing instead
    prefer = Preference.FETCH if session.choices.pull else Preference(settings.prefer)
    if not readable or prefer is Preference.BUILD:
        return None
    policy = acceptance(settings, release=release)
    keys = accepted_keys(policy, caches.keyring)
    if len(keys) < policy.needed:
        text = f"not asked: of the keys that it takes, {policy}, {len(keys)} are trusted here"
        text += _revoked_text(policy, caches.keyring)
        session.report(Noticed(", ".join(each.name for each in readable), text))
        return None

    def verify(data: bytes, payload_type: str, where: str) -> tuple[str, object]:
        signed = verify_statement(data, payload_type, caches.keyring, where)
        return signed.key.key_id, signed.body

    return CacheSubstitutes(
        members=tuple(map(caches.member, readable)),
        terms=Terms(
            keys=keys,
            acceptance=policy,
            valid_ids=caches.keyring.valid_ids,
            accelerated=settings.share_accelerated and not release,
            prefer=prefer,
        ),
        verify=verify,
        report=session.report,
        clock=time.monotonic,
        stop=caches.cancellation.cancel,
        targets=targets,
    )


def accepted_keys(policy: Acceptance, keyring: Keyring) -> tuple[str, ...]:
    """The names of the keys that a policy takes, as far as they are trusted."""
    trusted = [each.public.name for each in keyring.known if not keyring.revocation(each.public)]
    return tuple(key for key in policy.keys or trusted if key in trusted)


def _revoked_text(policy: Acceptance, keyring: Keyring) -> str:
    """Which keys that a policy takes were revoked, as the end of a line."""
    names = {each.key.name for each in keyring.revocations}
    revoked = sorted(names.intersection(policy.keys) if policy.keys else names)
    return f" (revoked: {', '.join(revoked)})" if revoked else ""


def signer_of(session: Session, caches: RunCaches) -> Signer | None:
    """Who signs what is brought into caches; None: nobody.

    Raises:
        UsageError: somebody should, and cannot.
    """
    folders = KeyFolders.of(session.workspace)
    return find_signer(session.workspace.settings, folders, caches.keyring)


def signed_record(signer: Signer, payload_type: str, payload: bytes) -> bytes:
    """The record of a payload."""
    return Envelope.sign(payload_type, payload, signer).encode()
