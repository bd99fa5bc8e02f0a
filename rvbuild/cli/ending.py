"""How a run ends: what a person is told, and the exit code.

Knows: what each error means, also those of the machine. Must not know: commands.
"""

from __future__ import annotations

import errno
import os
import sys

from rvbuild.cli.messages import render_bug, render_error, wants_color
from rvbuild.cli.streams import STANDARD_OUTPUT, drop_output
from rvbuild.core.advice import Hint
from rvbuild.core.errors import (
    Interrupted,
    OutputError,
    RunFailed,
    RvbuildError,
    SandboxError,
    StoreError,
)
from rvbuild.core.system_fault import Site, hint_for

_MEMORY = hint_for(errno.ENOMEM, Site.ELSEWHERE)
_PROCESSES = hint_for(errno.EAGAIN, Site.ELSEWHERE)
_TEMPORARY = "let TMPDIR name a folder that has room and that you may write"


def tell(error: BaseException, store: str | None = None) -> int:
    """Show an error, or each of several in full; the exit code.

    ``store`` is the one that the command line named.
    """
    if isinstance(error, RunFailed):
        for failure in error.failures:
            tell(failure, store)
    if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
        drop_output()
        if isinstance(error, BrokenPipeError):
            return 141  # as a shell reports SIGPIPE
    color = wants_color(sys.stderr, os.environ)
    typed = error if isinstance(error, RvbuildError) else _meaning(error)
    if typed is not None:
        sys.stderr.write(render_error(typed, color=color, store=store))
        return typed.exit_code
    sys.stderr.write(render_bug(error, color=color))
    return 70  # EX_SOFTWARE of sysexits.h


def _meaning(error: BaseException) -> RvbuildError | None:
    """What an error of Python tells of the machine or the person; None: it is a bug."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted.by(error, "interrupted")
    if isinstance(error, OSError):
        return _of_system_call(error)
    if isinstance(error, MemoryError):
        return _no_room("what is to be done: its memory is used up", _MEMORY)
    if isinstance(error, ImportError):
        return _of_import(error)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _no_room("another thread", _PROCESSES)
    return None


def _of_import(error: ImportError) -> RvbuildError:
    """A library is not there, as after an update by git alone; or it cannot be loaded."""
    name = error.name or ""
    if isinstance(error, ModuleNotFoundError) and name.partition(".")[0] != "rvbuild":
        hint = f"install rvbuild again, with what it needs, for {sys.executable}"
        return SandboxError(f"the program lacks a library: {name}", hint=hint)
    return _no_room(f"the program ({error})", "raise its limits (`ulimit -v`, `ulimit -n`)")


def _of_system_call(error: OSError) -> RvbuildError | None:
    if error.filename == STANDARD_OUTPUT:
        msg = f"the answer cannot be written: {error.strerror}"
        hint = "run it again with a standard output that takes it"
        details = tuple(getattr(error, "__notes__", ()))
        return OutputError(msg, where=STANDARD_OUTPUT, hint=hint, details=details)
    advice = hint_for(error.errno, Site.ELSEWHERE)
    if advice is not None:
        return StoreError(os.strerror(error.errno or 0), where=_place(error), hint=advice)
    if error.errno == errno.ENOENT and error.filename is None:  # as `tempfile` has it
        return StoreError(str(error.strerror), where=_place(error), hint=_TEMPORARY)
    return None


def _place(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else os.getcwd()


def _no_room(what: str, hint: Hint | None) -> SandboxError:
    return SandboxError(f"this machine has no room for {what}", hint=hint)
