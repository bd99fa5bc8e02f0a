"""Leases: pushes and collections of one cache keep out of each other's way.

Knows: who may work beside whom. Must not know: what is pushed or collected.

The rules:

1. Each writes its own lease first, and looks for the other kind afterwards. So of a push and a
   collection that begin at the same moment, at least one sees the other.
2. A push beside a collection ends before it writes anything: what it finds there may be about to
   go. A collection beside a push ends before it removes anything.
3. Of collections that begin at the same moment one goes on. Each takes a ticket, looks for those of
   others, and gives way to a lower one; whoever has the lowest waits until the others gave way. Who
   is alone writes ``leases/collection``, and only then takes its ticket back.
4. Whoever has a lease renews it (`rvbuild.caches.tenure`). One that nobody renewed for ``void``
   seconds is void: its owner was killed, or sleeps. A collection removes those.
5. Ages are those of the cache's own clock. Where a push cannot list (HTTP), it compares what the
   lease says with its own clock, and waits twice as long: two clocks may differ by ``void``.

Example: a push writes ``leases/push-5f1c…`` and finds no ``leases/collection``. A collection that
begins now finds the push, takes its own lease back, and says who is at work.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from attrs import field, frozen

from rvbuild.caches.lease_text import LeaseText
from rvbuild.caches.names import LEASES, lease_name
from rvbuild.caches.tenure import Pause, Tenure, awake_and_asleep
from rvbuild.core.errors import CacheBusy, CacheDown, CacheRefused
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.core.ports.clock import Clock

VOID = 15 * 60.0
"""Seconds after which a lease that nobody renewed holds no longer."""

BEAT = 60.0
"""Seconds after which a lease is renewed."""

_COLLECTION = lease_name("collection")
_PUSH, _TICKET = "push-", "ticket-"
_LOOKS, _BETWEEN = 10, 0.5
"""How often a collection looks whether others give way, and seconds between two looks."""


@frozen(kw_only=True)
class Collecting:
    """The lease of a collection.

    Attributes:
        tenure: Whether it still holds.
        began: When it was taken, by the cache's clock.
        void: Names of the leases of those who were killed.
    """

    tenure: Tenure
    began: float
    void: tuple[str, ...]


@frozen
class Lease:
    """The right to write into a cache, or to collect it.

    Attributes:
        cache: Which.
        address: For messages.
        now: Seconds since 1970 here.
        owner: Who has it, for messages: a key's name.
        void: Seconds after which one that nobody renewed is void.
        beat: Seconds after which it is renewed.
        clock: Seconds that only grow, whether or not this process runs.
        pause: How whoever renews waits.
    """

    cache: CollectableCache
    address: str
    now: Clock
    owner: str
    void: float = field(default=VOID, kw_only=True)
    beat: float = field(default=BEAT, kw_only=True)
    clock: Clock = field(default=awake_and_asleep, kw_only=True)
    pause: Pause = field(default=threading.Event.wait, kw_only=True)
    _identifier: str = field(factory=lambda: secrets.token_hex(8), init=False)

    @contextmanager
    def taken(self) -> Iterator[Tenure]:
        """While this process pushes.

        Raises:
            CacheBusy: the cache is being collected.
        """
        tenure = self._written(lease_name(f"{_PUSH}{self._identifier}"))
        try:
            self._refuse_collection(tenure.name)
            with tenure.renewals(self.beat, self.pause):
                yield tenure
        finally:
            tenure.end()

    @contextmanager
    def collecting(self) -> Iterator[Collecting]:
        """While this process collects.

        Raises:
            CacheBusy: somebody pushes, or collects.
        """
        tenure = self._only_collection()
        try:
            leases = self._leases()
            began = self._moment(leases, _COLLECTION)
            alive = self._alive(leases, began)
            for name in sorted(alive):
                if name.startswith(LEASES + _PUSH):
                    self._refuse_push(name)
            with tenure.renewals(self.beat, self.pause):
                yield Collecting(tenure=tenure, began=began, void=tuple(leases.keys() - alive))
        finally:
            tenure.end()

    def void_leases(self, now: float) -> tuple[str, ...]:
        """The names of the leases of those who were killed, at a moment of the cache's clock."""
        leases = self._leases()
        return tuple(leases.keys() - self._alive(leases, now))

    def _only_collection(self) -> Tenure:
        """The collection's lease, which nobody else has."""
        ticket = self._written(lease_name(f"{_TICKET}{self._identifier}"))
        try:
            self._wait_for_turn(ticket.name)
            self._refuse_collection(ticket.name)
            ticket.check()
            return self._written(_COLLECTION)
        finally:
            ticket.end()

    def _wait_for_turn(self, mine: str) -> None:
        """Until nobody else has a ticket (rule 3)."""
        for _ in range(_LOOKS):
            leases = self._leases()
            alive = self._alive(leases, self._moment(leases, mine))
            lowest, *others = sorted(name for name in alive if name.startswith(LEASES + _TICKET))
            if not others:
                return
            if lowest != mine:
                break
            self.pause(threading.Event(), _BETWEEN)
        self._refuse("another collection begins")

    def _alive(self, leases: Mapping[str, CacheEntry], now: float) -> set[str]:
        """The names of those that are not void at a moment of the cache's clock."""
        return {name for name, each in leases.items() if now - each.modified < self.void}

    def _moment(self, leases: Mapping[str, CacheEntry], name: str) -> float:
        """When a lease that this process has just written was, by the cache's clock."""
        if name not in leases:
            msg = "its list lacks a file that was just written"
            raise CacheDown(msg, where=f"{self.address} {name}", hint="try again")
        return leases[name].modified

    def _written(self, name: str) -> Tenure:
        now = int(self.now())
        text = LeaseText(renewed=now, since=now, identifier=self._identifier, owner=self.owner)
        tenure = Tenure(self.cache, self.address, name, text, self.void, self.now, self.clock)
        tenure.write()
        return tenure

    def _refuse_collection(self, mine: str) -> None:
        """See that nobody collects; ``mine`` is a lease that was just written.

        Raises:
            CacheBusy: somebody does.
        """
        text = self._text(_COLLECTION)
        if text is not None and not self._is_void(text, mine):
            self._refuse(f"it is being collected by {text.describe(self.void)}")

    def _is_void(self, text: LeaseText, mine: str) -> bool:
        """Whether the lease of a collection is void (rule 5)."""
        try:
            leases = self._leases()
        except CacheRefused:
            return abs(self.now() - text.renewed) >= 2 * self.void
        return _COLLECTION not in self._alive(leases, self._moment(leases, mine))

    def _refuse_push(self, name: str) -> None:
        text = self._text(name)
        if text is not None:
            self._refuse(f"a push is under way, by {text.describe(self.void)}")

    def _refuse(self, why: str) -> NoReturn:
        raise CacheBusy(why, where=self.address, hint="try again when that is done")

    def _leases(self) -> dict[str, CacheEntry]:
        return {entry.name: entry for entry in self.cache.entries(LEASES)}

    def _text(self, name: str) -> LeaseText | None:
        return LeaseText.decode(self.cache.record(name) or b"")
