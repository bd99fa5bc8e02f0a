"""What a recipe may give a step: its time stamp, its words, the paths of its outputs.

Knows: the limits of each value. Must not know: where a value is from. Whoever reads a recipe asks
here about what the recipe says itself, and whoever makes a step about what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rvbuild.core.errors import RecipeError
from rvbuild.core.paths import is_component
from rvbuild.core.place import Place
from rvbuild.core.process_limits import word_problems
from rvbuild.core.recipe import Recipe
from rvbuild.core.source import LAST_DATE

_SECONDS = re.compile(r"[0-9]{1,12}\Z")


def check_date(recipe: Recipe, date: str) -> None:
    """See that ``SOURCE_DATE_EPOCH`` can be this, or nothing.

    Raises:
        RecipeError: it cannot.
    """
    seconds = int(date) if _SECONDS.match(date) else LAST_DATE + 1
    if date and seconds > LAST_DATE:
        msg = f"{date!r} is not a date in seconds since 1970, up to the year 9999"
        raise RecipeError(msg, where=recipe.at("date"), hint="for example: 1744156800")


def check_output_path(path: str, where: Place | None) -> None:
    """See that an output can be at this path below ``$out``.

    Raises:
        RecipeError: it cannot.
    """
    if not all(map(is_component, path.split("/"))):
        msg = f"not a path below $out: {path!r}"
        raise RecipeError(msg, where=where, hint="for example: bin/runc")


def check_words(recipe: Recipe, environment: Mapping[str, str], script: str, key: str) -> None:
    """See that a process can be given the variables and the script, which ``key`` has.

    Raises:
        RecipeError: it cannot.
    """
    for name, why in word_problems(environment, {key: script}):
        keys = (f"env.{name}", f"pins.{name}", name)
        where = next((recipe.where[each] for each in keys if each in recipe.where), None)
        what = "the script" if name == key else f"the variable {name}"
        hint = "put it into a file beside the recipe: a step finds that in /in/recipe"
        msg = f"{what} {why}"
        raise RecipeError(msg, where=where or Place(recipe.file), hint=hint)
