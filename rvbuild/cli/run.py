"""One run of a command, and how it ends.

Knows: which command is which function, and what each error's exit is.
Must not know: what commands do.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys

from rvbuild.cli.build import build_command, fetch_command
from rvbuild.cli.init import init_command
from rvbuild.cli.inspect import log_command, plan_command
from rvbuild.cli.lock import lock_command
from rvbuild.cli.maintain import doctor_command, gc_command, store_command
from rvbuild.cli.memo import Memo
from rvbuild.cli.messages import render_bug, render_error, wants_color
from rvbuild.cli.show import show_command
from rvbuild.cli.workspace import Workspace
from rvbuild.core.errors import Interrupted, RvbuildError, StoreError
from rvbuild.executors.signals import unignore

_COMMANDS = {
    "build": build_command,
    "check": build_command,
    "fetch": fetch_command,
    "plan": plan_command,
    "show": show_command,
    "lock": lock_command,
    "log": log_command,
    "doctor": doctor_command,
    "store": store_command,
    "gc": gc_command,
    "init": init_command,
}


_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE,
    errno.ENFILE, errno.EIO, errno.ENOMEM,
})  # fmt: skip
"""What a system call tells of the machine, and not of a bug of ours."""


def run(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """Run the command; the exit code."""
    unignore()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as ^C does: nothing is left
    try:
        return _COMMANDS[arguments.command](arguments, workspace, memo)
    except KeyboardInterrupt:
        return _tell(Interrupted("interrupted"))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell reports SIGPIPE
    except Exception as error:  # noqa: BLE001 - a bug of ours must not look like a crash of theirs
        return _tell(error)


def _tell(error: Exception) -> int:
    """Show an error; its exit code."""
    color = wants_color(sys.stderr, os.environ)
    if isinstance(error, OSError) and error.errno in _MACHINE:
        error = StoreError(os.strerror(error.errno), where=str(error.filename or os.getcwd()))
    if isinstance(error, RvbuildError):
        sys.stderr.write(render_error(error, color=color))
        return error.exit_code
    sys.stderr.write(render_bug(error, color=color))
    return 70  # EX_SOFTWARE of sysexits.h
