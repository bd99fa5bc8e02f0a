"""One run of a command.

Knows: how a command's function is got. Must not know: what commands do, how a run ends.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.commands import COMMANDS
from rvbuild.cli.interrupts import Interruptible
from rvbuild.cli.signals import unignore


def run(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """Run the command; the exit code. Only what it needs is imported."""
    with Interruptible():
        unignore()
        if workspace.settled:
            import_module("rvbuild.cli.words").tell_of_settled(arguments, workspace)
        module, _, function = COMMANDS[arguments.command].handler.partition(":")
        handler = getattr(import_module(f"rvbuild.cli.{module}"), function)
        return int(handler(arguments, workspace, memo))
