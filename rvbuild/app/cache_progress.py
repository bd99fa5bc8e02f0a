"""How far a walk over a cache is, as events, once it is long.

Knows: how often people want to read of it. Must not know: why a cache is walked over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from rvbuild.caches.entry_walk import Walked
from rvbuild.core.events import Finished, Phase, Reporter, Started, Wrote
from rvbuild.core.ports.clock import Clock

LONG = 2.0
"""Seconds from which a walk is worth a line."""

_BETWEEN = 1.0
"""Seconds between two things that are told of one walk."""


@define
class _Progress:
    report: Reporter
    name: str
    phase: Phase
    clock: Clock
    began: float
    is_long: bool = False
    _next: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.began + LONG

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self.clock()
        if now < self._next:
            return
        if not self.is_long:
            self.report(Started(self.name, self.phase))
        self.is_long = True
        self._next = now + _BETWEEN
        text = f"{done:,} of {total:,} {what}" if total else f"{done:,} {what}"
        self.report(Wrote(self.name, text))


@contextmanager
def cache_progress(
    report: Reporter, name: str, phase: Phase, clock: Clock = time.monotonic
) -> Iterator[Walked]:
    """What a walk over a cache tells; nothing of a short one.

    Args:
        report: Where to.
        name: The cache's.
        phase: What is done.
        clock: Seconds that only grow.
    """
    progress = _Progress(report, name, phase, clock, clock())
    how = "failed"
    try:
        yield progress
        how = "done"
    finally:
        if progress.is_long:
            report(Finished(name, phase, how, clock() - progress.began))
