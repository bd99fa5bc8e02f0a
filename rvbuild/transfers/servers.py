"""Which servers were given up in this run.

Knows: time. Must not know: what is asked of a server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define, evolve, field, frozen

PAUSE = 60.0
"""Seconds for which nothing is asked of a server that gave no answer."""

_LONGEST = 16


@frozen
class _GivenUp:
    """``until`` is the clock's time."""

    until: float
    pause: float
    cause: str


@define
class Servers:
    """Remembers who gave no answer, so that each question does not find that out anew.

    Rules:

    1. A server that used up the tries of one transfer without any answer (no such host, a closed
       port, silence) is given up for `PAUSE` seconds. An answer is any status line.
    2. Meanwhile a transfer from it ends at once, with the cause. So does one between two tries.
    3. Afterwards one transfer asks it once more, and for the others it stays given up, for twice as
       long. So a server that is silent for ever costs one try each time.
    4. An answer makes all of this forgotten.
    5. Who gave no usable answer to one transfer, a busy server too, is in doubt for the rest of
       the run: whoever knows other addresses asks them first.

    Example: the first proxy of GOPROXY is down. The fetches that began together find it out within
    their four tries. The other 450 modules go to the second proxy at once.

    Attributes:
        clock: Seconds that only grow.
    """

    clock: Callable[[], float]
    _given_up: dict[str, _GivenUp] = field(factory=dict, init=False)
    _doubted: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def refusal(self, server: str) -> str:
        """Why the caller may not ask ``server`` now; empty if it may, and then it should."""
        with self._lock:
            there, now = self._given_up.get(server), self.clock()
            if there is None:
                return ""
            if now < there.until:
                return there.cause
            pause = min(there.pause * 2, PAUSE * _LONGEST)
            self._given_up[server] = _GivenUp(now + pause, pause, there.cause)
            return ""

    def give_up(self, server: str, cause: str) -> None:
        """It used up its tries."""
        with self._lock:
            now = self.clock()
            there = self._given_up.setdefault(server, _GivenUp(now + PAUSE, PAUSE, cause))
            self._given_up[server] = evolve(there, cause=cause)

    def answered(self, server: str) -> None:
        """It gave an answer."""
        with self._lock:
            self._given_up.pop(server, None)

    def doubt(self, server: str) -> None:
        """It gave no usable answer."""
        with self._lock:
            self._doubted.add(server)

    def doubted(self, server: str) -> bool:
        """Whether it gave no usable answer to an earlier transfer."""
        with self._lock:
            return server in self._doubted
