"""Recipes with the overrides of their series, and without any.

Knows: which pin, and which set of Go modules, an override is of. Must not know: how recipes get
series, whether an override holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.override import Override, SeriesOverrides
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, GoModulesSpec, Pin, Recipe

Readable = Callable[[str], "Recipe | None"]
"""A recipe by its folder's name; None if it cannot be read."""


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
        RecipeError: it says one itself.
    """
    pins: dict[str, Pin] = {}
    for ref, override in overrides.pins.items():
        pin = recipe.all_pins.get(ref.name, "")
        if ref.recipe == recipe.base and not isinstance(pin, str):
            _refuse_twice(str(ref), pin.instead, override)
            pins[ref.name] = evolve(pin, instead=override)
    spec = recipe.go_modules
    if spec is not None:
        spec = _with_modules(recipe, spec, overrides.modules, readable)
    return _with_pins(evolve(recipe, go_modules=spec), pins)


def _with_pins(recipe: Recipe, pins: Mapping[str, Pin]) -> Recipe:
    every = {**recipe.all_pins, **pins}
    version, date = every.pop("version"), every.pop("date")
    return evolve(recipe, version=version, date=date, pins=every)


def _with_modules(
    recipe: Recipe,
    spec: GoModulesSpec,
    modules: Mapping[SetRef, Mapping[str, Override]],
    readable: Readable,
) -> GoModulesSpec:
    source = _source(recipe, spec.source, readable)
    own = modules.get(SetRef(source, spec.scope), {}) if source else {}
    for module, override in own.items():
        _refuse_twice(module, spec.instead.get(module), override)
    return evolve(spec, instead={**spec.instead, **own})


def _source(recipe: Recipe, name: str, readable: Readable) -> SourceRef | None:
    """What the lock calls a source of the recipe, without series."""
    use = recipe.sources.get(name)
    if use is not None and not isinstance(use.spec, FromSpec):
        return SourceRef(recipe.base, name)
    owner = readable(use.spec.recipe if use and isinstance(use.spec, FromSpec) else name)
    return SourceRef(owner.base, owner.lent_source) if owner else None


def _refuse_twice(name: str, own: Override | None, other: Override) -> None:
    if own is not None:
        msg = f"the value instead of upstream's of {name} is said twice"
        raise RecipeError(msg, where=other.where, details=(f"also at {own.where}",))


def refuse_vain(
    overrides: SeriesOverrides, names: Callable[[], Iterable[str]], readable: Readable
) -> None:
    """See that each override is of something that a recipe has.

    Raises:
        RecipeError: one is not: it would change nothing.
    """
    for ref, where in overrides.places.items():
        name = ref.recipe if isinstance(ref, PinRef) else ref.source.recipe
        recipe = readable(name)
        if recipe is None and name not in (known := set(names())):
            msg = f"there is no recipe called {name!r}"
            raise RecipeError(msg, where=where, hint=suggestion(name, known))
        if recipe is not None:
            _refuse_no_part(recipe, ref, where)


def _refuse_no_part(recipe: Recipe, ref: PinRef | SetRef, where: Place | None) -> None:
    if isinstance(ref, PinRef):
        part, what = ref.name, "value that is read out of a source"
        known = [name for name, pin in recipe.all_pins.items() if not isinstance(pin, str)]
    else:
        part, what, known = ref.source.name, "source", [*recipe.sources]
    if part not in known:
        msg = f"{recipe.base} has no {what} called {part!r}"
        hint = suggestion(part, known) or f"it has: {', '.join(known) or 'none'}"
        raise RecipeError(msg, where=where, hint=hint)
