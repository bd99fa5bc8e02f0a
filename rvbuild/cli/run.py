"""One run of a command, and how it ends.

Knows: which command is which function, and what each error's exit is.
Must not know: what commands do.
"""

from __future__ import annotations

import argparse
import os
import sys

from rvbuild.cli import build, inspect, lock, maintain
from rvbuild.cli.memo import Memo
from rvbuild.cli.messages import render_bug, render_error
from rvbuild.cli.workspace import Workspace
from rvbuild.core.errors import Interrupted, RvbuildError

_COMMANDS = {
    "build": build.build_command,
    "fetch": build.fetch_command,
    "plan": inspect.plan_command,
    "show": inspect.show_command,
    "lock": lock.lock_command,
    "log": inspect.log_command,
    "doctor": maintain.doctor_command,
    "store": maintain.store_command,
    "gc": maintain.gc_command,
}


def run(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """Run the command; the exit code."""
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    try:
        return _COMMANDS[arguments.command](arguments, workspace, memo)
    except RvbuildError as error:
        sys.stderr.write(render_error(error, color=color))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write(render_error(Interrupted("interrupted"), color=color))
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell reports SIGPIPE
    except Exception as error:  # noqa: BLE001 - a bug of ours must not look like a crash of theirs
        sys.stderr.write(render_bug(error, color=color))
        return 70  # EX_SOFTWARE of sysexits.h
