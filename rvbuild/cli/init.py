"""`init`: writes the recipe that a person then changes.

Knows: the starters beside it. Must not know: what is in a recipe.
"""

from __future__ import annotations

import argparse
import os
import sys

from rvbuild.cli.memo import Memo
from rvbuild.cli.workspace import Workspace
from rvbuild.core.errors import StoreError, UsageError
from rvbuild.recipes_yaml.recipe import NAME

_STARTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "starters")


def init_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild init NAME [STARTER]`."""
    name = arguments.name
    if not NAME.match(name):
        msg = f"{name!r} is not a recipe name"
        raise UsageError(msg, hint="lower-case letters, digits, '.', '_' and '-'")
    folder = os.path.join(workspace.project or os.getcwd(), "recipes", name)
    place = os.path.join(folder, "recipe.yaml")
    with open(os.path.join(_STARTERS, f"{arguments.starter}.yaml"), encoding="utf-8") as file:
        text = file.read().replace("NAME", name)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(place, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        msg = "there is such a recipe already"
        raise UsageError(msg, where=place) from error
    except OSError as error:
        msg = f"the recipe cannot be written: {error.strerror}"
        raise StoreError(msg, where=place) from error
    sys.stdout.write(os.path.relpath(place) + "\n")
    if not arguments.quiet:
        sys.stderr.write(f"change it, then `rvbuild lock {name}` and `rvbuild {name}-riscv64`\n")
    return 0
