"""Actors that take turns: each does one step when it is told to, in an order that a seed says."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

from attrs import define, field

PATIENCE = 60


@define
class Actor:
    """A thread that waits before each of its steps (`step`)."""

    work: Callable[[Actor], None]
    is_done: bool = False
    is_last: bool = False
    _go: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    _stands: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._stands.acquire(timeout=PATIENCE)

    def step(self) -> None:
        """Wait for the next turn."""
        self._stands.release()
        assert self._go.acquire(timeout=PATIENCE)

    def turn(self) -> None:
        """Let it do one step."""
        self._go.release()
        assert self._stands.acquire(timeout=PATIENCE)

    def stay(self) -> None:
        """Do nothing more until every other one is done."""
        self.is_last = True
        self.step()

    def _run(self) -> None:
        try:
            self.work(self)
        finally:
            self.is_done = True
            self._stands.release()


def take_turns(actors: list[Actor], seed: int) -> None:
    """Let each do all that it does, in the order that the seed says."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    for actor in actors:
        actor.begin()
    for actor in _order(actors, rng):
        actor.turn()


def _order(actors: list[Actor], rng: random.Random) -> Iterator[Actor]:
    while live := [actor for actor in actors if not actor.is_done]:
        yield rng.choice([actor for actor in live if not actor.is_last] or live)
