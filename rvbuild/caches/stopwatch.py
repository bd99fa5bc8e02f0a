"""Counts the seconds for which somebody waits.

Knows: seconds. Must not know: what is waited for. Whoever has one keeps threads apart.
"""

from __future__ import annotations

from attrs import define, field

from rvbuild.core.ports.clock import Clock


@define
class Stopwatch:
    """Runs while anybody waits: two who wait at the same moment count once.

    Attributes:
        clock: Seconds that only grow.
        seconds: For which somebody waited, up to the last call.
    """

    clock: Clock
    seconds: float = field(default=0.0, init=False)
    _waiting: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)

    def begin(self) -> float:
        """Say that somebody waits from now on; what ``tick`` says."""
        passed = self.tick()
        self._waiting += 1
        return passed

    def end(self) -> float:
        """Say that somebody waits no longer; what ``tick`` says."""
        passed = self.tick()
        self._waiting -= 1
        return passed

    def tick(self) -> float:
        """Count up to now; by how many seconds that was."""
        now = self.clock()
        passed = now - self._since if self._waiting else 0.0
        self._since = now
        self.seconds += passed
        return passed
