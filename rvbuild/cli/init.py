"""`init`: says which recipe was written, and what comes next.

Knows: what a person does next. Must not know: recipes.
"""

from __future__ import annotations

import argparse
import os
import sys

from rvbuild.app.init import write_starter
from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.commands import COMMANDS
from rvbuild.core.architecture import EXAMPLE


def init_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild init NAME [STARTER]`."""
    name = arguments.name
    place = write_starter(workspace, name, arguments.starter, commands=COMMANDS)
    sys.stdout.write(os.path.relpath(place) + "\n")
    if not arguments.quiet:
        sys.stderr.write(f"change it, then `rvbuild lock {name}` and `rvbuild {name}-{EXAMPLE}`\n")
    return 0
