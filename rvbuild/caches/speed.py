"""How fast a cache sends packs.

Knows: bytes and seconds. Must not know: caches, what becomes of a speed.

Records do not count: each is an answer of a few bytes, and says how far the cache is away. A
hundred of them over a line of 100 ms would make a fast cache look like one of 100 KB/s.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from rvbuild.caches.stopwatch import Stopwatch
from rvbuild.core.ports.clock import Clock

ENOUGH = 128 << 10
"""Bytes after which a speed is believed."""


@define
class Speed:
    """The speed of one cache in a run; any number of threads use it."""

    clock: Clock
    _size: int = field(default=0, init=False)
    _watch: Stopwatch = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._watch = Stopwatch(self.clock)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While somebody waits for a piece of a pack."""
        with self._lock:
            self._watch.begin()
        try:
            yield
        finally:
            with self._lock:
                self._watch.end()

    def came(self, size: int) -> None:
        """Say that so many bytes of a pack came."""
        with self._lock:
            self._size += size

    @property
    def bytes_a_second(self) -> float | None:
        """So far; None while too little came to tell."""
        with self._lock:
            self._watch.tick()
            seconds = self._watch.seconds
            return self._size / seconds if self._size >= ENOUGH and seconds else None
