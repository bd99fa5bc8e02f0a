"""^C, QUIT, TERM and HUP: whether they end the process at once, or raise.

Knows: signals. Must not know: what is interrupted. Imports next to nothing: whoever presses ^C
while the program is imported is to get no traceback, so this is imported first.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found] # `signal` takes ten times as long
import os
import sys

_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
_AGAIN = 0.01
"""Seconds after which an interrupt that Python could not pass on is raised again."""


def leave_when_interrupted() -> None:
    """Let the signals end the process, while there is nothing to clean up.

    A signal that is ignored stays ignored (nohup, a background job).
    """
    for number in _heard():
        signal.signal(number, _leave)


class Interruptible:
    """While this is entered, the signals raise KeyboardInterrupt, so that what runs can clean up.

    The exception has the signal's number. Python drops an exception that is raised in a
    destructor. It comes again then, with SIGALRM.
    """

    def __enter__(self) -> None:
        self._number = signal.SIGINT
        self._before = {number: signal.signal(number, self._raise) for number in _heard()}
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._raise)
        sys.unraisablehook = _raise_again

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = sys.__unraisablehook__
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _raise(self, number: int, _frame: object) -> None:
        self._number = self._number if number == signal.SIGALRM else number
        raise KeyboardInterrupt(self._number)


def _heard() -> list[int]:
    return [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]


def _leave(number: int, _frame: object) -> None:
    try:  # noqa: SIM105 - contextlib is one more import before the handler stands
        os.write(2, b"interrupted\n")
    except OSError:
        pass  # a terminal that hung up
    os._exit(128 + number)  # as a shell reports a death by this signal


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    elif not issubclass(lost.exc_type, MemoryError):  # somebody else meets the same, and says so
        sys.__unraisablehook__(lost)
