"""What a step's exit code means beyond its number.

Knows: a shell's 128 + N for a process that signal N ended. Must not know: how steps run.
"""

from __future__ import annotations

import signal

_CAUSES = {
    signal.SIGKILL: "the kernel does that where memory runs out",
    signal.SIGILL: "an instruction that this processor does not have",
    signal.SIGSEGV: "it used memory that is not its own",
    signal.SIGBUS: "it used memory that is not there; a full /dev/shm does that, too",
    signal.SIGXFSZ: "a file grew beyond the limit on sizes (`ulimit -f`)",
}


def describe_exit(code: int) -> str:
    """The code, and what ended the step: ``exit code 137 (SIGKILL: the kernel does …)``."""
    try:
        number = signal.Signals(code - 128)
    except ValueError:
        return f"exit code {code}"
    cause = _CAUSES.get(number)
    return f"exit code {code} ({number.name}{f': {cause}' if cause else ''})"
