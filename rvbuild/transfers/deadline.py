"""How long somebody waits.

Knows: seconds. Must not know: for what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

Wait = Callable[[], float]
"""Gives the seconds that somebody waits at most, from now on, for the next sign of progress: an
answer, or a piece of it. 0 or less: no longer. A constant bounds each wait, and what counts down to
a moment bounds all of them."""


_SHORTEST = 0.001


class Deadline(float):
    """The seconds of a wait that ends at a moment, however many reads and writes it is made of.

    As a number it is what the wait was at first. httpcore hands the timeouts of a request on as it
    got them, so `connections.Stream` has this very value, and asks it what is left.

    Args:
        wait: Asked when the wait begins, which is with the first question what is left, and at
            each `renew`.
        clock: Seconds that only grow.
    """

    _wait: Wait
    _clock: Callable[[], float]
    _until: float | None

    def __new__(cls, wait: Wait, clock: Callable[[], float]) -> Self:
        deadline = super().__new__(cls, max(0.0, wait()))
        deadline._wait, deadline._clock, deadline._until = wait, clock, None
        return deadline

    def renew(self) -> None:
        """There was progress: the wait begins again."""
        self._until = self._clock() + self._wait()

    def left(self) -> float:
        """Seconds until the wait ends; none are below 0."""
        if self._until is None:
            self.renew()
        return max(0.0, (self._until or 0.0) - self._clock())


def seconds_left(timeout: float | None) -> float | None:
    """What a timeout of httpcore leaves for the next call; None for no end.

    It is above 0, which would mean to a socket that nobody waits at all.
    """
    return max(_SHORTEST, timeout.left()) if isinstance(timeout, Deadline) else timeout
