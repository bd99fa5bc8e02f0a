"""Which toolbox is the root of a recipe's step.

Knows: that a build input may bring one. Must not know: how recipes are read.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import Recipe

DEFAULT = "base-toolbox"


def toolbox_of(recipe: Recipe, inputs: Iterable[Recipe]) -> str:
    """The name of the toolbox: the recipe's own word, else what its build inputs export.

    Args:
        recipe: One with a step.
        inputs: The recipes under its ``inputs.build``.

    Raises:
        RecipeError: two inputs export different ones.
    """
    if recipe.toolbox:
        return recipe.toolbox
    exported = {each.exports.toolbox: each.base for each in inputs if each.exports.toolbox}
    if len(exported) > 1:
        both = " and ".join(f"{name} (of {giver})" for name, giver in sorted(exported.items()))
        msg = f"its inputs want different toolboxes: {both}"
        raise RecipeError(msg, where=recipe.at("inputs.build"), hint="say which: `toolbox: NAME`")
    return next(iter(exported), DEFAULT)
