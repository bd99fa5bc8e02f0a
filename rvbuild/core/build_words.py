"""What the keys have in common that stand for a script: `go`, `autotools`.

Knows: which source they mean, and that nothing is said twice. Must not know: what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import Recipe


def refuse_said(recipe: Recipe, key: str, others: Iterable[str]) -> None:
    """See that a recipe does not say itself what ``key`` stands for.

    Raises:
        RecipeError: it does.
    """
    for other in others:
        if other in recipe.where:
            msg = f"{key!r} says {other!r} already"
            hint = f"leave {other!r} out; or say all of it yourself, without {key!r}"
            raise RecipeError(msg, where=recipe.at(other), hint=hint)


def source_of(recipe: Recipe, key: str, name: str) -> str:
    """The source that is built: the named one, or the only one, or the one of the recipe's name.

    Raises:
        RecipeError: there is none, or nobody says which.
    """
    known = ", ".join(recipe.sources) or "none"
    if name and name not in recipe.sources:
        msg = f"no source of this recipe is called {name!r}"
        raise RecipeError(msg, where=recipe.at(f"{key}.source"), hint=f"there are: {known}")
    if name:
        return name
    if recipe.name in recipe.sources:
        return recipe.name
    if len(recipe.sources) == 1:
        return next(iter(recipe.sources))
    msg = f"{key!r} builds one source, and nobody says which"
    hint = f"say `{key}: {{source: NAME}}`; there are: {known}"
    raise RecipeError(msg, where=recipe.at(key), hint=hint)
