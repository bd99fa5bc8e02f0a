"""How a run ends: what a person is told, and the exit code.

Knows: what each error means, also those of the machine. Must not know: commands.
"""

from __future__ import annotations

import errno
import os
import sys

from rvbuild.cli.messages import render_bug, render_error, wants_color
from rvbuild.cli.streams import STANDARD_OUTPUT, drop_output
from rvbuild.core.errors import Interrupted, OutputError, RvbuildError, SandboxError, StoreError

_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE,
    errno.ENFILE, errno.EIO, errno.ENOMEM,
})  # fmt: skip
"""What a system call tells of the machine, and not of a bug of ours."""


def tell(error: BaseException) -> int:
    """Show an error; its exit code."""
    if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
        drop_output()
        if isinstance(error, BrokenPipeError):
            return 141  # as a shell reports SIGPIPE
    color = wants_color(sys.stderr, os.environ)
    typed = error if isinstance(error, RvbuildError) else _meaning(error)
    if typed is not None:
        sys.stderr.write(render_error(typed, color=color))
        return typed.exit_code
    sys.stderr.write(render_bug(error, color=color))
    return 70  # EX_SOFTWARE of sysexits.h


def _meaning(error: BaseException) -> RvbuildError | None:
    """What an error of Python tells of the machine or the person; None: it is a bug."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted")
    if isinstance(error, OSError):
        return _of_system_call(error)
    if isinstance(error, MemoryError):
        return _no_room("memory", "give it more (ulimit -v), or run fewer steps at once with -j")
    if isinstance(error, ImportError):
        return _no_room(f"the program ({error})", "give it more (ulimit -v, ulimit -n)")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _no_room("another thread", "give it more processes or memory (ulimit -u, ulimit -v)")
    return None


def _of_system_call(error: OSError) -> RvbuildError | None:
    if error.filename == STANDARD_OUTPUT:
        msg = f"the answer cannot be written: {error.strerror}"
        hint = "what was built is kept; run it again with a standard output that takes it"
        return OutputError(msg, where=STANDARD_OUTPUT, hint=hint)
    if error.errno in _MACHINE:
        return StoreError(os.strerror(error.errno), where=_place(error))
    return None


def _place(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else os.getcwd()


def _no_room(what: str, hint: str) -> SandboxError:
    return SandboxError(f"this machine has no room for {what}", hint=hint)
