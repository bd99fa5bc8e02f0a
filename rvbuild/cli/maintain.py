"""`doctor`, `store` and `gc`: the machine and the store.

Knows: what people ask about them. Must not know: recipes, builds.
"""

from __future__ import annotations

import argparse
import sys

from rvbuild.cli.memo import Memo
from rvbuild.cli.workspace import Workspace


def doctor_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild doctor`."""
    sys.stdout.write("todo\n")
    return 0


def store_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild store verify`."""
    return 0


def gc_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild gc`."""
    return 0
