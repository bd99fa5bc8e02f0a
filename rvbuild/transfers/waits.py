"""Says for whom a run waits.

Knows: time, and what a person is told. Must not know: what is asked, how.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from attrs import define, field

from rvbuild.core.events import Noticed, Reporter, silent

_MINUTE = 60
LONG = 5.0
"""Seconds after which somebody wonders whether anything happens at all."""


@define
class Waits:
    """Notices of servers, and proxies, that say nothing for a while: one for each in a run.

    Example: a proxy takes the connection and does not answer. After `LONG` seconds a person reads
    that it is the proxy for which the run waits, and for how long at most.

    Attributes:
        report: Takes the notices; from a thread of its own.
        long: Seconds until there is one.
    """

    report: Reporter = silent
    long: float = LONG
    _told: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    @contextmanager
    def of(self, server: str, proxy: str = "", *, most: float) -> Iterator[Callable[[], None]]:
        """While a server is asked.

        Args:
            server: Its host, for messages.
            proxy: The proxy before it, which is the one that is named; empty for none.
            most: Seconds until who gives no answer at all is given up, with all tries.

        Yields:
            What ends the wait before the end: an answer began.
        """
        whom, what = (proxy, f"no answer for {server} yet") if proxy else (server, "no answer yet")
        timer = threading.Timer(self.long, self._tell, (whom, what, most))
        timer.daemon = True
        timer.start()
        try:
            yield timer.cancel
        finally:
            timer.cancel()

    def _tell(self, whom: str, what: str, most: float) -> None:
        with self._lock:
            if whom in self._told:
                return
            self._told.add(whom)
        self.report(Noticed(whom, f"{what}: waiting, at most {_span(most)}"))


def _span(seconds: float) -> str:
    """Seconds for people, rounded up: ``45 s``, ``2 min``."""
    return f"{ceil(seconds)} s" if seconds <= _MINUTE else f"{ceil(seconds / _MINUTE)} min"
