"""Recipes with the overrides of their series, and without any.

Knows: which pin, and which set of Go modules, an override is of, and which pin can have one. Must
not know: how recipes get series, whether an override holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from rvbuild.core.errors import RecipeError
from rvbuild.core.names import SetRef, SourceRef
from rvbuild.core.override import Override, SeriesOverrides
from rvbuild.core.place import Place
from rvbuild.core.recipe import DerivedPin, FromSpec, GoModulesSpec, Pin, Reading, Recipe

Readable = Callable[[str], "Recipe | None"]
"""A recipe by its folder's name; None if it cannot be read."""


def pin_with(name: str, pin: Pin, override: Override, where: Place | None) -> DerivedPin:
    """A pin with a value instead of upstream's, whoever says it: its recipe, or a series.

    Args:
        name: What the pin is called there.
        pin: The pin.
        override: The value.
        where: The place that says it.

    Raises:
        RecipeError: it can have none: it is a text, which is no upstream's, or a fact of a commit,
            which nobody asks for and no lock has; or it has one.
    """
    if isinstance(pin, str):
        msg = f"{name} is a text of the recipe: no upstream says it"
        raise RecipeError(msg, where=where, hint=f"change it there, or say `{{literal: {pin}}}`")
    if isinstance(pin, Reading) and pin.reader == "git":
        msg = f"{name} is a fact of a commit, which is no value that another can stand for"
        raise RecipeError(msg, where=where, hint="name another commit in the source")
    _refuse_twice(name, pin.instead, override)
    return evolve(pin, instead=override)


def without_overrides(recipe: Recipe) -> Recipe:
    """The recipe with upstream's values."""
    if not recipe.overrides:
        return recipe
    modules = recipe.go_modules
    return _with_pins(
        evolve(recipe, go_modules=evolve(modules, instead={}) if modules else None),
        {
            name: evolve(pin, instead=None)
            for name, pin in recipe.all_pins.items()
            if not isinstance(pin, str)
        },
    )


def with_overrides(recipe: Recipe, overrides: SeriesOverrides, readable: Readable) -> Recipe:
    """The recipe with those of ``overrides`` that are of it.

    Raises:
        RecipeError: it says one itself, or a pin can have none.
    """
    pins: dict[str, Pin] = {
        ref.name: pin_with(str(ref), recipe.all_pins[ref.name], override, override.where)
        for ref, override in overrides.pins.items()
        if ref.recipe == recipe.base
    }
    spec = recipe.go_modules
    if spec is not None:
        ref = set_of(recipe, spec, readable)
        spec = _with_modules(spec, overrides.modules.get(ref, {}) if ref else {})
    return _with_pins(evolve(recipe, go_modules=spec), pins)


def _with_pins(recipe: Recipe, pins: Mapping[str, Pin]) -> Recipe:
    every = {**recipe.all_pins, **pins}
    version, date = every.pop("version"), every.pop("date")
    return evolve(recipe, version=version, date=date, pins=every)


def _with_modules(spec: GoModulesSpec, modules: Mapping[str, Override]) -> GoModulesSpec:
    for module, override in modules.items():
        _refuse_twice(module, spec.instead.get(module), override)
    return evolve(spec, instead={**spec.instead, **modules})


def set_of(recipe: Recipe, spec: GoModulesSpec, readable: Readable) -> SetRef | None:
    """What the lock calls a set of a recipe, without series; None: its source cannot be read."""
    source = _source(recipe, spec.source, readable)
    return SetRef(source, spec.scope) if source else None


def _source(recipe: Recipe, name: str, readable: Readable) -> SourceRef | None:
    use = recipe.sources.get(name)
    if use is not None and not isinstance(use.spec, FromSpec):
        return SourceRef(recipe.base, name)
    owner = readable(use.spec.recipe if use and isinstance(use.spec, FromSpec) else name)
    return SourceRef(owner.base, owner.lent_source) if owner else None


def _refuse_twice(name: str, own: Override | None, other: Override) -> None:
    if own is not None:
        msg = f"the value instead of upstream's of {name} is said twice"
        raise RecipeError(msg, where=other.where, details=(f"also at {own.where}",))
