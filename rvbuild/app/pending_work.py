"""Work that goes on in the background, each piece once at a time.

Knows: threads, and that what somebody waits for comes first. Must not know: what is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from attrs import define, field

AT_ONCE = 3
"""Pieces that somebody asked for, side by side; beside them is one that nobody did."""

Work = Callable[[], None]


@define
class PendingWork:
    """Pieces of work by name; any number of threads ask for them.

    Rules:

    1. A piece that is under way, or that somebody asked for, is not begun a second time.
    2. What is made beforehand is made one after the other. A piece of it that somebody asks for is
       taken out of that row, and made as what was asked for is.
    """

    _asked: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(AT_ONCE), init=False)
    _spare: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(1), init=False)
    _jobs: dict[str, Future[None]] = field(factory=dict, init=False)
    _early: dict[str, Future[None]] = field(factory=dict, init=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False)

    def ask(self, name: str, work: Work) -> Future[None]:
        """Do a piece, which somebody waits for."""
        with self._lock:
            early = self._early.get(name)
            if early is not None and not early.cancel():
                return early
            return self._begin(name, work, self._jobs, self._asked)

    def prepare(self, name: str, work: Work) -> None:
        """Do a piece that somebody may ask for."""
        with self._lock:
            if name not in self._jobs:
                self._begin(name, work, self._early, self._spare)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        for pool in (self._spare, self._asked):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (self._spare, self._asked):
            pool.shutdown()

    def _begin(
        self, name: str, work: Work, row: dict[str, Future[None]], pool: ThreadPoolExecutor
    ) -> Future[None]:
        if name not in row:
            job = row[name] = pool.submit(work)
            job.add_done_callback(partial(self._forget, name, row))
            return job
        return row[name]

    def _forget(self, name: str, row: dict[str, Future[None]], _: Future[None]) -> None:
        with self._lock:
            row.pop(name, None)
