"""Recipes whose series move together, since the same recipes need several of them.

Knows: what is below a recipe. Must not know: values of a series, files.
"""

from __future__ import annotations

from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection


def family_lacking(recipes: RecipeCollection, name: str, former: str, series: str) -> list[Recipe]:
    """The recipes that lack a series, and would keep others from having it.

    Args:
        recipes: All.
        name: The recipe that gets the series.
        former: The series that it comes from, which all of the family have.
        series: The new one.
    """
    family = family_with(recipes, name, former)
    return [each for each in family if each.name != name and series not in each.per_series]


def family_with(recipes: RecipeCollection, name: str, series: str) -> list[Recipe]:
    """The recipes that say what they are in a series, and that some recipe needs beside ``name``.

    The recipe itself is the first of them.
    """
    names: dict[str, None] = {name: None}
    for each in recipes.names():
        closure = recipes.series.closure(each)
        if name in closure:
            names |= dict.fromkeys(sorted(closure))
    family = (recipes.series.readable(each) for each in names)
    return [each for each in family if each is not None and series in each.per_series]
