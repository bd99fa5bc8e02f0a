"""Signals that whoever started rvbuild told it to ignore (nohup, a background job).

Knows: signal dispositions. Must not know: sandboxes.
"""

from __future__ import annotations

import signal

_OURS = {signal.SIGPIPE, signal.SIGXFSZ}  # ignored by Python; subprocess gives them back


def unignore() -> None:
    """Go on ignoring them here, but let no step inherit that: a shell cannot undo it.

    A handler that does nothing is reset to the default by ``exec``. For the main thread,
    once, before anything runs.
    """
    for one in signal.valid_signals() - _OURS:
        if signal.getsignal(one) == signal.SIG_IGN:
            signal.signal(one, lambda *_: None)
