"""One cache of a run: what it may cost, what it gave, and why it was left out.

Knows: budgets, what a cache's errors mean for the run. Must not know: what records say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from attrs import define, evolve, field

from rvbuild.caches.arrival import Arrival
from rvbuild.caches.budget import StallBudget
from rvbuild.caches.speed import Speed
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.errors import CacheDown, CacheError, CacheMiss, RvbuildError, WrongContent
from rvbuild.core.ports.cache import Cache

T = TypeVar("T")

MOST_WRONG = 3
"""Wrong answers of one cache after which a run asks no more; disks rot."""

SHORTEST_PAUSE = 0.5
"""Seconds for which a cache that asks for a pause is left alone, also if it asks for none."""


class ResumableCache(Cache, Protocol):
    """A verified cache that goes on with an object of which another one brought the beginning."""

    def resume(self, arrival: Arrival) -> Iterator[bytes]:
        """What the object still lacks; see `VerifyingCache`."""
        ...


@define
class Member:
    """A cache that a run asks; any number of threads use it.

    Rules:

    1. A cache that gives no usable answer, or refuses, is left out for the run; so is one that
       `MOST_WRONG` times sent wrong bytes, or records that nobody may believe.
    2. One that asks to be left alone for a while is asked again afterwards, if its budget has the
       time for that.
    3. Whoever asks one that is left out gets CacheDown at once.

    Attributes:
        name: For people: its address, without a login.
        cache: Verified, and in time.
        budget: What it may cost.
        pause: Waits so many seconds, or raises if nobody wants anything any more.
    """

    name: str
    cache: ResumableCache
    budget: StallBudget
    pause: Callable[[float], None]
    _use: CacheUse = field(init=False)
    _speed: Speed = field(init=False)
    _wrong: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._use = CacheUse(name=self.name)
        self._speed = Speed(self.budget.clock)

    @property
    def is_out(self) -> bool:
        """Whether it is left out for the rest of the run."""
        return not self.budget.left

    @property
    def use(self) -> CacheUse:
        """What it gave so far."""
        reason = self._use.reason
        if self.is_out and not reason:
            reason = f"it took {self.budget.seconds:.3g} s of waiting"
        size, waited = self.budget.size, self.budget.waited
        return evolve(self._use, size=size, waited=waited, reason=reason)

    @property
    def speed(self) -> float | None:
        """Bytes of packs a second so far; None while too little came to tell."""
        return self._speed.bytes_a_second

    def count(self, *, hits: int = 0, pulled: int = 0, saved: float = 0.0) -> None:
        """Note what was used of it."""
        with self._lock:
            use = self._use
            self._use = evolve(
                use, hits=use.hits + hits, pulled=use.pulled + pulled, saved=use.saved + saved
            )

    def leave_out(self, reason: str) -> None:
        """Ask it no more in this run; the first reason stays."""
        with self._lock:
            self._use = evolve(self._use, reason=self._use.reason or reason)
        self.budget.use_up()

    def count_wrong(self, reason: str) -> None:
        """Note that it gave something that nobody may believe; in the end it is left out."""
        with self._lock:
            self._wrong += 1
            is_too_much = self._wrong >= MOST_WRONG
        if is_too_much:
            self.leave_out(reason)

    def record(self, name: str) -> bytes | None:
        """A record; None if there is none.

        Raises:
            CacheDown: it is left out, from now on or before.
        """
        data = self._ask(lambda: self.cache.record(name))
        self.budget.came(len(data or b""))
        return data

    def read(self, arrival: Arrival) -> Iterator[bytes]:
        """What an object still lacks, in verified pieces; each counts as arrived when it is given.

        Raises:
            CacheMiss: it does not have it.
            CacheDown: it is left out, from now on or before.
            WrongContent: the object is another one, with what came before.
        """
        stream = _Stream(self.cache, arrival, self._speed)
        while (piece := self._ask(stream.piece)) is not None:
            self.budget.came(len(piece))
            self._speed.came(len(piece))
            yield piece

    def _ask(self, question: Callable[[], T]) -> T:
        while True:
            if self.is_out:
                msg = f"left out: {self.use.reason}"
                raise CacheDown(msg, where=self.name)
            try:
                with self.budget.waiting():
                    return self._answer(question)
            except CacheDown as error:
                self._wait(error)

    def _answer(self, question: Callable[[], T]) -> T:
        with self._lock:
            self._use = evolve(self._use, requests=self._use.requests + 1)
        try:
            return question()
        except (CacheMiss, CacheDown):
            raise
        except CacheError as error:
            self.leave_out(error.message)
            raise
        except WrongContent as error:
            self.count_wrong(error.message)
            raise

    def _wait(self, error: CacheDown) -> None:
        """Wait as the cache asks, or leave it out.

        Raises:
            CacheDown: it is left out.
        """
        wait = error.retry_after
        if wait is not None:
            wait = max(wait, SHORTEST_PAUSE)
        if wait is None or wait >= self.budget.left:
            self.leave_out(error.message)
            raise error
        with self.budget.waiting():
            self.pause(wait)


@define
class _Stream:
    """The pieces of an object. After an error it is asked for again, from where it stopped."""

    cache: ResumableCache
    arrival: Arrival
    speed: Speed
    _pieces: Iterator[bytes] | None = field(default=None, init=False)

    def piece(self) -> bytes | None:
        """The next piece; None at the end."""
        if self._pieces is None:
            self._pieces = self.cache.resume(self.arrival)
        try:
            with self.speed.waiting():
                return next(self._pieces, None)
        except RvbuildError:
            self._pieces = None
            raise
