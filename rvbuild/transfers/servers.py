"""Which servers were given up in this run.

Knows: time. Must not know: what is asked of a server.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define, evolve, field, frozen

from rvbuild.core.advice import Hint

PAUSE = 60.0
"""Seconds for which nothing is asked of a server that gave no answer."""

_LONGEST = 16


@frozen
class Silence:
    """Why a server counts as silent, and what to do about it; the hint may be empty."""

    cause: str
    hint: Hint = ""

    @property
    def again(self) -> str:
        """What whoever asks once more is told."""
        return f"not asked again: {self.cause}"


@frozen
class _GivenUp:
    """``until`` is the clock's time."""

    until: float
    pause: float
    silence: Silence


@define
class Servers:
    """Remembers the servers that gave no answer: the tries of one transfer are spent on each.

    Rules:

    1. A server that gave no answer to all tries of one transfer (no such host, a closed port,
       silence) is given up for `PAUSE` seconds. An answer is any status line.
    2. Meanwhile a transfer from it ends at once, with the cause and its hint. So does one between
       two tries, and one that another server redirects to it.
    3. Afterwards one transfer asks it once more, and for the others it stays given up, for twice as
       long. So a server that is silent for ever costs one try each time.
    4. An answer makes all of this forgotten. A proxy answers when it passes an answer on, refuses,
       or connects to a server.
    5. A proxy is a server. Where it was asked and did not answer, the server behind it may be the
       silent one: that server is given up. The proxy is given up with the second one of them.
    6. Who gave no usable answer to one transfer, a busy server too, is in doubt for the rest of
       the run: whoever knows other addresses asks them first.
    7. Who may ask only one of a server and its proxy asks neither: the try that rule 3 allows is
       spent by those alone who really ask.

    Example: the first proxy of GOPROXY is down. The fetches that began together find it out within
    their four tries. The other 450 modules go to the second proxy at once.

    Attributes:
        clock: Seconds that only grow.
    """

    clock: Callable[[], float]
    _given_up: dict[str, _GivenUp] = field(factory=dict, init=False)
    _silent_behind: dict[str, set[str]] = field(factory=dict, init=False)
    _doubted: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def refusal(self, *way: str) -> Silence | None:
        """Why the caller may not ask a server now; None if it may, and then it should (rule 7).

        Args:
            way: The server, and the proxy before it; an empty one is none.
        """
        with self._lock:
            now = self.clock()
            given_up = {each: self._given_up[each] for each in way if each in self._given_up}
            for state in given_up.values():
                if now < state.until:
                    return state.silence
            for each, state in given_up.items():
                pause = min(state.pause * 2, PAUSE * _LONGEST)
                self._given_up[each] = _GivenUp(now + pause, pause, state.silence)
            return None

    def give_up(self, server: str, silence: Silence, behind: str = "") -> None:
        """It used up its tries; ``behind`` is the proxy that may be to blame (rule 5)."""
        with self._lock:
            self._give_up(server, silence)
            if behind:
                servers = self._silent_behind.setdefault(behind, set())
                servers.add(server)
                if len(servers) > 1:
                    self._give_up(behind, silence)

    def _give_up(self, server: str, silence: Silence) -> None:
        first = _GivenUp(self.clock() + PAUSE, PAUSE, silence)
        self._given_up[server] = evolve(self._given_up.get(server, first), silence=silence)

    def answered(self, server: str) -> None:
        """It gave an answer."""
        with self._lock:
            self._given_up.pop(server, None)
            self._silent_behind.pop(server, None)

    def doubt(self, server: str) -> None:
        """It gave no usable answer."""
        with self._lock:
            self._doubted.add(server)

    def doubted(self, server: str) -> bool:
        """Whether it gave no usable answer to an earlier transfer."""
        with self._lock:
            return server in self._doubted
