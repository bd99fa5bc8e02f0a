"""Watches a result come, and says when making it would be quicker.

Knows: bytes, seconds, and how long making took. Must not know: caches.
"""

from __future__ import annotations

import threading
from enum import Enum

from attrs import define, field

from rvbuild.core.errors import SubstituteError
from rvbuild.core.loss import TooSlow
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.clock import Clock
from rvbuild.core.statement import Statement

PROBE = 1.0
"""Seconds after which a speed is believed."""


class Preference(Enum):
    """What a run does with a result that it could fetch or make."""

    AUTO = "auto"
    FETCH = "fetch"
    BUILD = "build"


@define
class FetchWatch:
    """Counts one fetch; any number of threads tell it.

    Making a result takes as long as it and all below it took where they were made: below it
    nothing may be here. So only a cache that is slower than all of that is given up.

    Example: K3s took 431 s to make and has 70 MB. After one second 100 KB came: at that speed the
    rest takes 699 s, so K3s is made. At 1 MB/s it takes 69 s, and is fetched.

    Attributes:
        statement: What is fetched.
        prefer: With ``FETCH`` nothing is too slow.
        clock: Seconds that only grow.
        advance: Told of plain bytes.
    """

    statement: Statement
    prefer: Preference
    clock: Clock
    advance: Advance
    _came: int = field(default=0, init=False)
    _unpacked: int = field(default=0, init=False)
    _began: float = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def expect(self, speed: float | None) -> None:
        """Say how many bytes a second the cache sent so far; None if nobody knows.

        Raises:
            SubstituteError: making it is quicker.
        """
        if speed:
            self._judge(self.statement.output.transfer / speed)

    def came(self, size: int) -> None:
        """Say that so many bytes of packs came.

        Raises:
            SubstituteError: making the result is quicker than waiting for the rest.
        """
        with self._lock:
            self._came += size
            seconds, left = self.clock() - self._began, self.statement.output.transfer - self._came
        if seconds >= PROBE and left > 0:
            self._judge(left * seconds / self._came)

    def unpacked(self, size: int) -> None:
        """Say that so many plain bytes of files are here."""
        with self._lock:
            self._unpacked += size
            done = self._unpacked
        self.advance(done, self.statement.output.size)

    def _judge(self, seconds: float) -> None:
        make = self.statement.closure_milliseconds / 1000
        if self.prefer is Preference.AUTO and seconds > max(make, PROBE):
            msg = f"fetching it would take {seconds:.0f} s more; making it took {make:.0f} s"
            raise SubstituteError(msg, where=self.statement.label, loss=TooSlow(seconds, make))
