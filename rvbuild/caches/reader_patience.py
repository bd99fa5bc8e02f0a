"""How long those who ask a server wait, in all, for what is only being made ready.

Knows: seconds, and work that is under way. Must not know: what is made ready.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from attrs import define, field

from rvbuild.caches.budget import StallBudget

SECONDS = 3.0
"""Less than a reader's own budget, which has to suffice for the rest, too."""
PAUSE = 30.0
"""Seconds without a question after which the next one is another reader's."""


@define
class ReaderPatience:
    """Waits for work; any number of threads use it.

    Rules:

    1. Readers count what they wait in all, and leave out a cache that takes too long: so who asks
       waits `seconds` in all, and gets an answer at once then.
    2. Two who wait at the same moment count once.
    3. After a `pause` in which nobody asked, the time begins anew.

    Example: a reader asks for eight results, which take 10 s to make ready. After 3 s it hears that
    the last five are not there. It makes these, or asks again in its next run.

    Attributes:
        clock: Seconds that only grow.
        seconds: How long they wait in all.
        pause: How long nobody asks between two readers.
    """

    clock: Callable[[], float]
    seconds: float = SECONDS
    pause: float = PAUSE
    _budget: StallBudget = field(init=False)
    _last: float = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._budget, self._last = StallBudget(self.seconds, self.clock), self.clock()

    def wait_for(self, work: Future[None]) -> None:
        """Return once the work has ended, or nobody waits any longer."""
        budget = self._current()
        with budget.waiting():
            wait([work], timeout=budget.left)

    def _current(self) -> StallBudget:
        with self._lock:
            now = self.clock()
            if now - self._last > self.pause:
                self._budget = StallBudget(self.seconds, self.clock)
            self._last = now
            return self._budget
