"""The time for which somebody has a lease: it is renewed, and ends when that fails for too long.

Knows: one file of a cache, and clocks. Must not know: what leases keep apart.

The rules:

1. A thread renews the lease every ``beat`` seconds, until the work ends.
2. Who renews reads the file first. If it is gone, or somebody else's, the lease is lost for good.
3. Who could not renew it for `PATIENCE` of ``void`` seconds has lost it, too: before anybody else
   takes it to be void, so that what was begun by then has ended. No later renewal brings it back.
4. Whoever works asks (`check`) before each step that must not happen without the lease. That costs
   no request.

Example: a laptop pushes, and its lid is closed for an hour. Its lease was void after 15 minutes, so
that somebody collected. When it wakes up, the push ends before it writes the next record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve, field

from rvbuild.caches.lease_text import LeaseText
from rvbuild.core.errors import CacheBusy, CacheError, RvbuildError
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.core.ports.clock import Clock

PATIENCE = 0.8
"""The share of the seconds after which a lease is void for which its owner goes on unrenewed."""

Pause = Callable[[threading.Event, float], bool]
"""Waits until an event is set, or so many seconds; whether it is set."""


def awake_and_asleep() -> float:
    """Seconds that only grow, also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@define
class Tenure:
    """A lease that this process has.

    Attributes:
        cache: Where it is.
        address: For messages.
        name: Its file.
        text: What that says.
        void: Seconds after which others take it to be void.
        now: Seconds since 1970 here.
        clock: Seconds that only grow, whether or not this process runs.
    """

    cache: CollectableCache
    address: str
    name: str
    text: LeaseText
    void: float
    now: Clock
    clock: Clock
    _renewed: float = field(default=0.0, init=False)
    _is_lost: bool = field(default=False, init=False)

    def write(self) -> None:
        """Write the lease.

        Raises:
            CacheError: it may not be there.
        """
        began = self.clock()
        self.cache.write_record(self.name, self.text.encode())
        self._renewed = began

    @property
    def holds(self) -> bool:
        """Whether nobody else can have the lease."""
        return not self._is_lost and self.clock() - self._renewed < PATIENCE * self.void

    def check(self) -> None:
        """See that the lease holds.

        Raises:
            CacheBusy: it does not.
        """
        if not self.holds:
            why = "somebody else took it" if self._is_lost else "it could not be renewed in time"
            msg = f"the lease of this run is lost: {why}"
            hint = "begin again: what was done so far stays"
            raise CacheBusy(msg, where=self.address, hint=hint)

    def renew(self) -> None:
        """Write the lease again, if it still is ours.

        Raises:
            CacheError: the cache does not answer; the next time may be in time.
        """
        there = LeaseText.decode(self.cache.record(self.name) or b"")
        if there is None or there.identifier != self.text.identifier:
            self._is_lost = True
        elif self.holds:
            self.text = evolve(self.text, renewed=int(self.now()))
            self.write()

    def end(self) -> None:
        """Take the lease back, unless it may be somebody else's by now."""
        if self.holds:
            with suppress(CacheError):  # it is void by itself
                self.cache.remove(self.name)

    @contextmanager
    def renewals(self, beat: float, pause: Pause) -> Iterator[None]:
        """Renew the lease every ``beat`` seconds meanwhile."""
        stop = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(stop, beat, pause), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _renew_until(self, stop: threading.Event, beat: float, pause: Pause) -> None:
        while not pause(stop, beat) and self.holds:
            with suppress(RvbuildError):  # whoever works asks whether it holds
                self.renew()
