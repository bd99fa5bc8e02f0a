"""`init`: writes the recipe that a person then changes.

Knows: the starters beside it, and which names they can have. Must not know: what else is in a
recipe.
"""

from __future__ import annotations

import argparse
import os
import sys

from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.arguments import COMMANDS
from rvbuild.core.architecture import ARCHITECTURES, EXAMPLE
from rvbuild.core.errors import RecipeError, UsageError
from rvbuild.core.image import environment
from rvbuild.core.recipe import RESERVED_NAMES
from rvbuild.recipes_yaml.collection import RECIPE_FILE, RecipeCollection
from rvbuild.recipes_yaml.recipe import NAME, NAME_HINT, read_recipe

_STARTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "starters")


def init_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild init NAME [STARTER]`."""
    name = arguments.name
    if not NAME.match(name):
        msg = f"{name!r} is not a recipe name"
        raise UsageError(msg, hint=NAME_HINT)
    _refuse_reserved(name)
    _refuse_ending(name)
    recipes = os.path.join(workspace.project or os.getcwd(), "recipes")
    _refuse_known(name, recipes, workspace)
    with open(os.path.join(_STARTERS, f"{arguments.starter}.yaml"), encoding="utf-8") as file:
        text = file.read().replace("NAME", name)
    _refuse_unfit(name, text)
    place = os.path.join(recipes, name, RECIPE_FILE)
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        msg = f"the recipe cannot be written: {error.strerror}"
        hint = "a recipe is a folder below recipes/, which must be yours to write"
        raise RecipeError(msg, where=place, hint=hint) from error
    sys.stdout.write(os.path.relpath(place) + "\n")
    if not arguments.quiet:
        sys.stderr.write(f"change it, then `rvbuild lock {name}` and `rvbuild {name}-{EXAMPLE}`\n")
    return 0


def _refuse_reserved(name: str) -> None:
    """Steps have something else at `/in/NAME`; `rvbuild NAME` is a command, no target."""
    why = f"/in/{name} is {RESERVED_NAMES[name]}" if name in RESERVED_NAMES else ""
    if name in COMMANDS:
        why = f"`rvbuild {name}` is a command"
    if why:
        msg = f"a recipe cannot be called {name!r}: {why}"
        raise UsageError(msg, hint=f"choose another name, such as `rvbuild init my-{name}`")


def _refuse_ending(name: str) -> None:
    """A target is NAME-ARCH: such a name could not be told from one."""
    begin, _, end = name.rpartition("-")
    if end in ARCHITECTURES:
        msg = f"{name!r} ends as a target does, with the architecture {end}"
        hint = "choose a name without it: one recipe is for every architecture"
        raise UsageError(msg, hint=f"{hint}: `rvbuild init {begin}`" if begin else hint)


def _refuse_known(name: str, recipes: str, workspace: Workspace) -> None:
    """A recipe of the project would be overwritten, one that rvbuild brings hidden."""
    known = RecipeCollection((recipes, *workspace.recipes)).path(name)
    if known is None:
        return
    if os.path.dirname(known) == recipes:
        msg = "there is such a recipe already"
        raise UsageError(msg, where=known, hint="change that one, or choose another name")
    msg = f"rvbuild brings a recipe called {name!r}, which a new one would hide"
    hint = "choose another name; to change that one, copy its folder into recipes/"
    raise UsageError(msg, where=known, hint=hint)


def _refuse_unfit(name: str, text: str) -> None:
    """Not every recipe's name can be an image's."""
    recipe = read_recipe(text.encode(), name, RECIPE_FILE, ())
    if recipe.image is None:
        return
    values = {"name": name, "arch": EXAMPLE, "version": "1", "date": "0"}
    try:
        environment(recipe, recipe.image, values)
    except RecipeError as error:
        hint = "single '.', '_' or '-' between letters and digits"
        raise UsageError(error.message, hint=hint) from error
