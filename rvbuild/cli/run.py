"""One run of a command.

Knows: which command is which function. Must not know: what commands do, how a run ends.
"""

from __future__ import annotations

import argparse

from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.build import build_command, fetch_command
from rvbuild.cli.config import config_command
from rvbuild.cli.init import init_command
from rvbuild.cli.inspect import log_command, plan_command
from rvbuild.cli.interrupts import Interruptible
from rvbuild.cli.lock import lock_command
from rvbuild.cli.maintain import doctor_command, gc_command, store_command
from rvbuild.cli.show import show_command
from rvbuild.cli.signals import unignore

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
    "config": config_command,
}


def run(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """Run the command; the exit code."""
    with Interruptible():
        unignore()
        return _COMMANDS[arguments.command](arguments, workspace, memo)
