"""Cancellation of a run's transfers.

Knows: threads. Must not know: what is transferred, who cancels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from attrs import define, field

from rvbuild.core.errors import Interrupted

SLICE = 0.2
"""Seconds after which a wait looks whether it was cancelled."""

T = TypeVar("T")


class TooLate(Exception):
    """There is no time left for what runs."""


@define
class Cancellation:
    """Ends whatever waits for a server.

    Rules:

    1. Nothing begins after `cancel`: `refuse` raises Interrupted.
    2. What waits asks for its next slice of time (`slices`), and looks in between.
    3. What cannot wait in slices, because the system looks a name up, connects, or reads a file
       of a server, runs in a thread of its own (`run`). The thread that asked leaves it behind.

    Example: a server accepts and says nothing. The read waits for 60 s, in slices of 0.2 s. ^C
    cancels, and the read raises Interrupted within the slice.
    """

    _event: threading.Event = field(factory=threading.Event, init=False, repr=False)

    def cancel(self) -> None:
        """End all waits, and let nothing begin."""
        self._event.set()

    def refuse(self) -> None:
        """Raise if it was cancelled.

        Raises:
            Interrupted: it was.
        """
        if self._event.is_set():
            msg = "stopped while a server was asked"
            raise Interrupted(msg)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: it was cancelled.
        """
        self._event.wait(seconds)
        self.refuse()

    def slices(self, seconds: float | None, once: Callable[[float], T], late: type[Exception]) -> T:
        """What ``once`` gives, which waits for so many seconds at most and then raises ``late``.

        Raises:
            Interrupted: it was cancelled meanwhile.
        """
        left = seconds
        while True:
            self.refuse()
            now = SLICE if left is None else min(SLICE, left)
            try:
                return once(now)
            except late:
                left = None if left is None else left - now
                if left is not None and left <= 0:
                    raise

    def run(self, call: Callable[[], T], left: Callable[[], float] | None = None) -> T:
        """What ``call`` gives, or raises; it goes on alone if this is cancelled, or too late.

        Args:
            call: Runs in a thread of its own.
            left: Gives the seconds that are left for it; None: as long as it takes.

        Raises:
            Interrupted: it was cancelled meanwhile.
            TooLate: no time was left.
        """
        future: Future[T] = Future()
        threading.Thread(target=_settle, args=(future, call), daemon=True).start()
        try:
            while not wait([future], timeout=SLICE if left is None else min(SLICE, left())).done:
                self.refuse()
                _refuse_late(left)
        except BaseException:  # ^C, too
            future.add_done_callback(_discard)
            raise
        return future.result()


def _refuse_late(left: Callable[[], float] | None) -> None:
    if left is not None and left() <= 0:
        raise TooLate


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        future.set_exception(error)


def _discard(future: Future[Any]) -> None:
    """Close a connection that stands after its caller has left."""
    if future.exception() is None and hasattr(future.result(), "close"):
        future.result().close()
