"""A git that ended before its work was done, by no fault of a repository or a server.

Knows: what exit codes say, and what git says where the machine lacks something. Must not know:
what git was to do.
"""

from __future__ import annotations

import re
import signal

from rvbuild.core.errors import SourceError

_LACKS = re.compile(
    "[Oo]ut of memory|Cannot allocate memory|Too many open files|No space left on device"
    "|Resource temporarily unavailable"
)
_HINT = "run it again; `dmesg` says whether the machine had too little memory for it"
_BY_SHELLS = range(128 + 2, 128 + 65)
"""Exit codes for deaths by signals. Git's own are 128, 129 (an unknown option) and 255."""


class GitStopped(SourceError):
    """Git was killed, or the machine lacks what it needs.

    It says nothing of what git read: nothing is damaged, and nothing lacks.
    """


def refuse_stopped(code: int, said: str = "") -> None:
    """See that git ended by itself.

    Args:
        code: What it ended with: negative for a signal, as `subprocess` has it, or 128 and more, as
            a shell has it, and git of a program that it started.
        said: By git, in the locale C; empty if nobody knows.

    Raises:
        GitStopped: it did not.
    """
    number = -code if code < 0 else code - 128 if code in _BY_SHELLS else 0
    if number:
        msg = f"git was killed by signal {number}{_name_of(number)}"
        raise GitStopped(msg, hint=_HINT)
    if code and (lack := _LACKS.search(said)):
        msg = f"git could not go on: {lack[0]}"
        raise GitStopped(msg, hint=_HINT)


def _name_of(number: int) -> str:
    names = {each.value: f" ({each.name})" for each in signal.Signals}
    return names.get(number, "")
