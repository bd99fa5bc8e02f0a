"""Writes the recipe of a new package, which a person then changes.

Knows: the starters beside it, and which names they can have. Must not know: what else is in a
recipe.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from contextlib import suppress

from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.architecture import ARCHITECTURES, EXAMPLE
from rvbuild.core.errors import RecipeError, StoreError, UsageError
from rvbuild.core.image import environment
from rvbuild.core.recipe import RESERVED_NAMES
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.replacement import replace_file
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.recipes_yaml.recipe_names import NAME, NAME_HINT
from rvbuild.recipes_yaml.recipe_root import RECIPE_FILE

_STARTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "starters")


def write_starter(
    workspace: Workspace, name: str, starter: str, *, commands: Collection[str] = ()
) -> str:
    """Write ``recipes/NAME/recipe.yaml`` of the project, or of the working directory.

    Args:
        workspace: The folders of the run.
        name: The recipe's name.
        starter: What the package is: ``go``, ``autotools``, ``meson`` or ``image``.
        commands: Names that a command line takes for something else.

    Returns:
        The file's absolute path.

    Raises:
        UsageError: a recipe cannot have that name, or one has it.
        StoreError: the file cannot be written.
    """
    if not NAME.match(name):
        msg = f"{name!r} is not a recipe name"
        raise UsageError(msg, hint=NAME_HINT)
    _refuse_reserved(name, commands)
    _refuse_ending(name)
    recipes = os.path.join(workspace.project or os.getcwd(), "recipes")
    _refuse_known(name, recipes, workspace)
    with open(os.path.join(_STARTERS, f"{starter}.yaml"), encoding="utf-8") as file:
        text = file.read().replace("NAME", name)
    _refuse_unfit(name, text)
    place = os.path.join(recipes, name, RECIPE_FILE)
    _write_new(place, text)
    return place


def _write_new(place: str, text: str) -> None:
    """Put the file there whole, or leave nothing: neither a part of it nor a folder without it."""
    made: list[str] = []
    try:
        _make_folders(os.path.dirname(place), made)
        if os.path.lexists(place):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        replace_file(place, text.encode())
    except OSError as error:
        for folder in reversed(made):
            with suppress(OSError):  # what went wrong first is what is raised
                os.rmdir(folder)
        msg = f"the recipe cannot be written: {error.strerror}"
        hint = hint_for(error.errno, Site.RECIPE)
        raise StoreError(msg, where=place, hint=hint) from error


def _make_folders(folder: str, made: list[str]) -> None:
    """Make what is missing of a way; what is made is added to ``made``, also if this fails."""
    if not os.path.isdir(folder):
        _make_folders(os.path.dirname(folder), made)
        os.mkdir(folder)
        made.append(folder)


def _refuse_reserved(name: str, commands: Collection[str]) -> None:
    """Steps have something else at `/in/NAME`; `rvbuild NAME` is a command, no target."""
    why = f"/in/{name} is {RESERVED_NAMES[name]}" if name in RESERVED_NAMES else ""
    if name in commands:
        why = "it is a command"
    if why:
        msg = f"a recipe cannot be called {name!r}: {why}"
        raise UsageError(msg, hint=advise("choose another name: ", Remedy.BEGIN.of(f"my-{name}")))


def _refuse_ending(name: str) -> None:
    """A target is NAME-ARCH: such a name could not be told from one."""
    begin, _, end = name.rpartition("-")
    if end in ARCHITECTURES:
        msg = f"{name!r} ends as a target does, with the architecture {end}"
        hint = "choose a name without it: one recipe is for every architecture"
        raise UsageError(msg, hint=advise(hint, ": ", Remedy.BEGIN.of(begin)) if begin else hint)


def _refuse_known(name: str, recipes: str, workspace: Workspace) -> None:
    """A recipe of the project would be overwritten, one that rvbuild brings hidden."""
    former = RecipeCollection((recipes, *workspace.recipes)).path(name)
    if former is None:
        return
    if os.path.dirname(former) == recipes:
        msg = "there is such a recipe already"
        raise UsageError(msg, where=former, hint="change that one, or choose another name")
    msg = f"rvbuild brings a recipe called {name!r}, which a new one would hide"
    hint = "choose another name; to change that one, copy its folder into recipes/"
    raise UsageError(msg, where=former, hint=hint)


def _refuse_unfit(name: str, text: str) -> None:
    """Not every recipe's name can be an image's, or a part of a Go module's path."""
    values = {"name": name, "arch": EXAMPLE, "version": "1", "date": "0"}
    try:
        recipe = read_recipe(text.encode(), name, RECIPE_FILE, ())
        if recipe.image is not None:
            environment(recipe, recipe.image, values)
    except RecipeError as error:
        hint = "single '.', '_' or '-' between letters and digits"
        raise UsageError(error.message, hint=hint) from error
