"""Which build inputs of a recipe bring the go command.

Knows: what such a recipe exports. Must not know: how it is run.
"""

from __future__ import annotations

from rvbuild.core.errors import RecipeError
from rvbuild.core.names import SourceRef
from rvbuild.core.pinned import Recipes, named_source
from rvbuild.core.place import Place
from rvbuild.core.recipe import FOR_TARGET, FromSpec, Recipe

_MARKS = {"GOROOT", "GOMODCACHE"}
_TOOLCHAIN = "go-toolchain"


def go_command(recipes: Recipes, recipe: Recipe, where: Place | None) -> tuple[str, ...]:
    """The build inputs of ``recipe`` that bring the go command, as it names them.

    Those are recipes that export ``GOROOT`` or ``GOMODCACHE``, or that have a ``go-toolchain``;
    ``go`` is one. No package is: it would have to be built before anything is locked.

    Raises:
        RecipeError: there is none.
    """
    inputs = {name: recipes.recipe(name, where, recipe.series) for name in recipe.build_inputs}
    names = tuple(name for name, given in inputs.items() if _brings_go(given))
    if not names:
        msg = "'go-modules' needs the go command"
        hint = "add `go-current`, or another recipe with a `go-toolchain`, to inputs.build"
        raise RecipeError(msg, where=where, hint=hint)
    return names


def go_reads(recipes: Recipes, recipe: Recipe, where: Place | None) -> frozenset[SourceRef]:
    """What the go command of ``recipe`` is made of: every source of those build inputs.

    Raises:
        RecipeError: there is no such build input.
    """
    found: set[SourceRef] = set()
    for tool in go_command(recipes, recipe, where):
        given = recipes.recipe(tool, where, recipe.series)
        for name, use in given.sources.items():
            owner, own = named_source(recipes, given, name, use.where)
            found.add(SourceRef(owner.name, own))
    return frozenset(found)


def _brings_go(recipe: Recipe) -> bool:
    if recipe.kind in FOR_TARGET:
        return False
    specs = (use.spec for use in recipe.sources.values())
    kinds = {spec.answer.kind for spec in specs if not isinstance(spec, FromSpec)}
    return _TOOLCHAIN in kinds or not _MARKS.isdisjoint(recipe.exports.env)
