"""How long a run waits for one cache, in all, before it goes on without it.

Knows: seconds and bytes. Must not know: caches, what is waited for.

The rules:

1. Time counts while somebody waits; two who wait at the same moment count once.
2. What a cache delivers pays for time, at `FLOOR` bytes a second: a large object may take as long
   as it takes, a trickle may not.
3. A cache that once has `seconds` of unpaid time is left out for the rest of the run.

Example, with 5 seconds: a dead cache is left out after 5 s. One that sends 1 KiB/s is left out
after 5.04 s, although each of its answers came. One that sends 100 MiB in 20 s never is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from rvbuild.caches.stopwatch import Stopwatch
from rvbuild.core.ports.clock import Clock

FLOOR = 128 << 10
"""Bytes a second that nobody calls a stall."""


@define
class StallBudget:
    """What one cache may cost a run; any number of threads use it.

    Attributes:
        seconds: Of unpaid waiting, in all.
        clock: Seconds that only grow.
        size: Bytes that came.
    """

    seconds: float
    clock: Clock
    size: int = field(default=0, init=False)
    _unpaid: float = field(default=0.0, init=False)
    _is_out: bool = field(default=False, init=False)
    _watch: Stopwatch = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._watch = Stopwatch(self.clock)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While somebody waits for the cache."""
        with self._lock:
            self._count(self._watch.begin())
        try:
            yield
        finally:
            with self._lock:
                self._count(self._watch.end())

    def came(self, size: int) -> None:
        """Say that so many bytes came."""
        with self._lock:
            self._count(self._watch.tick())
            self.size += size
            self._unpaid = max(0.0, self._unpaid - size / FLOOR)

    def use_up(self) -> None:
        """Leave the cache out, whatever time it took: it asked for that, or lied."""
        with self._lock:
            self._is_out = True

    @property
    def left(self) -> float:
        """Seconds that a caller may wait now; 0 if the cache is left out."""
        with self._lock:
            self._count(self._watch.tick())
            return 0.0 if self._is_out else self.seconds - self._unpaid

    @property
    def waited(self) -> float:
        """Seconds for which somebody waited, paid or not."""
        return self._watch.seconds

    def _count(self, passed: float) -> None:
        self._unpaid += passed
        self._is_out = self._is_out or self._unpaid >= self.seconds
