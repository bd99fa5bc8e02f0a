"""How a run ends: what a person is told, and the exit code.

Knows: what each error means, also those of the machine. Must not know: commands.
"""

from __future__ import annotations

import errno
import os
import sys

from rvbuild.cli.messages import render_bug, render_error, wants_color
from rvbuild.cli.streams import STANDARD_OUTPUT, drop_output
from rvbuild.core.errors import (
    Interrupted,
    OutputError,
    RunFailed,
    RvbuildError,
    SandboxError,
    StoreError,
)

_SPACE = "free some space, or use another place with --store"
_RIGHTS = "look whose it is, and who may write it"
_FILES = "raise the limit on open files (`ulimit -n`), or use fewer --jobs"
_MEMORY = "give it more (`ulimit -v`), or use fewer --jobs"
_PROCESSES = "raise the limit on processes (`ulimit -u`), or use fewer --jobs"
_TEMPORARY = "let TMPDIR name a folder that has room and that you may write"
_DISK = "look at the disk: the kernel's log says more"
_NETWORK_DISK = "look at its file system, which a server or a program serves: it does not answer"
_MACHINE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _PROCESSES,
    errno.EIO: _DISK,
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "look where the links on this path lead",
    errno.ENODEV: _DISK,
    errno.ENXIO: _DISK,
    errno.ESTALE: _NETWORK_DISK,
    errno.ENOTCONN: _NETWORK_DISK,
    errno.ETIMEDOUT: _NETWORK_DISK,
    errno.EREMOTEIO: _NETWORK_DISK,
    errno.EBUSY: "look what uses it, or what is mounted there",
    errno.EOPNOTSUPP: "use a place on another file system",
    errno.ENOSYS: "use a place on another file system, or a newer kernel",
    errno.EINTR: "run it again: a call of the kernel was interrupted",
}
"""What a system call tells of the machine, and not of a bug of ours; and what to do."""


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
        return _no_room(f"the program ({error})", "raise its limits (`ulimit -v`, `ulimit -n`)")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _no_room("another thread", _PROCESSES)
    return None


def _of_system_call(error: OSError) -> RvbuildError | None:
    if error.filename == STANDARD_OUTPUT:
        msg = f"the answer cannot be written: {error.strerror}"
        hint = "run it again with a standard output that takes it"
        details = tuple(getattr(error, "__notes__", ()))
        return OutputError(msg, where=STANDARD_OUTPUT, hint=hint, details=details)
    if error.errno in _MACHINE:
        hint = _MACHINE[error.errno]
        return StoreError(os.strerror(error.errno), where=_place(error), hint=hint)
    if error.errno == errno.ENOENT and error.filename is None:  # as `tempfile` has it
        return StoreError(str(error.strerror), where=_place(error), hint=_TEMPORARY)
    return None


def _place(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else os.getcwd()


def _no_room(what: str, hint: str) -> SandboxError:
    return SandboxError(f"this machine has no room for {what}", hint=hint)
