"""The recipes that a recipe names, and where it names each.

Knows: which keys are names of recipes. Must not know: which recipes there are, what a series is.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.core.errors import RecipeError
from rvbuild.core.image_root import names_in_root
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, Recipe

Reference = tuple[str, "Place | None"]
"""A name, which may be that of a source of the recipe itself, and its place."""


def refuse_series(recipe: Recipe) -> None:
    """See that a recipe names no series: those that it names are of its own (`core.series`).

    Raises:
        RecipeError: it does.
    """
    for name, where in references(recipe):
        if "@" in name:
            msg = f"{name!r} names a series, and a recipe cannot"
            base = name.partition("@")[0] or "NAME"  # half a name is none, and refused all the same
            hint = f"say {base!r}: it is the one of the recipe's own series, or of the default one"
            raise RecipeError(msg, where=where, hint=hint)


def references(recipe: Recipe) -> Iterator[Reference]:
    """Each name of a recipe, as often as it is there."""
    yield from _read(recipe)
    yield recipe.toolbox or "", recipe.at("toolbox")
    yield recipe.exports.toolbox, recipe.at("exports.toolbox")
    for key, names in (("build", recipe.build_inputs), ("target", recipe.target_inputs)):
        yield from ((name, recipe.at(f"inputs.{key}.{name}")) for name in names)
    for key, option in recipe.options.items():
        yield option.input, recipe.at(f"options.{key}.input")
        for value, name in option.choices.items():
            yield name, recipe.at(f"options.{key}.choices.{value}")
    if recipe.image is not None:
        yield from names_in_root(recipe, recipe.image)
    yield from ((name, recipe.at(f"checked-by.{name}")) for name in recipe.checked_by)


def _read(recipe: Recipe) -> Iterator[Reference]:
    """What sources, pins and sets of Go modules are read from."""
    for name, use in recipe.sources.items():
        if isinstance(use.spec, FromSpec):
            yield use.spec.recipe, recipe.at(f"sources.{name}.from")
        yield from ((source, use.where) for source, _ in use.spec.reads)
    for pin in recipe.all_pins.values():
        if not isinstance(pin, str):
            yield from ((rung.source, rung.where) for rung in pin.rungs)
    if recipe.go_modules is not None:
        yield recipe.go_modules.source, recipe.go_modules.where
