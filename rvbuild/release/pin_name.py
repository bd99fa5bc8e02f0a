"""Which literal pins a person means by a name: where the word stands that others derive from.

Knows: how a recipe's version leads to the recipe that says it. Must not know: how a value is
changed, what upstream has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rvbuild.core.errors import UsageError
from rvbuild.core.recipe import FromSpec, Pin, Recipe, used_names
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.release.literal_pin import LiteralPin, file_pins, is_version, version_pin


def pins_of(recipes: RecipeCollection, name: str) -> tuple[LiteralPin, ...]:
    """All literal pins that ``NAME`` means, or ``RECIPE/PART``, each in every series.

    Rules:

    1. A version that is derived leads to the recipes that it is read from.
    2. Else the recipe's own pins are it: those of which upstream may have a list, and a bare
       address only if there is no other.
    3. A recipe without any is its version, or leads to those whose source it has.

    4. ``PART`` is what the pin is called in its recipe, else a source that it chooses.

    Example: the version of ``k3s`` is read in ``k3s-source``, which has none, and one source with
    ``commit: "${commit}"``: that is the value, once for each series.

    Raises:
        UsageError: there is no such recipe, or it has none.
        RecipeError: a recipe on the way is not valid, or is in no series.
    """
    base, _, part = name.partition("/")
    recipe = recipes.file(base)
    pins = _parts(recipes, base, part) if part else [*_leading(recipes, recipe, set())]
    if not pins:
        msg = f"{base} says no value that chooses a version, and follows none"
        raise UsageError(msg, where=name, hint="name the recipe, or RECIPE/SOURCE, that says it")
    return tuple({(pin.recipe.file, pin.key): pin for pin in pins}.values())


def pin_of(recipes: RecipeCollection, name: str) -> tuple[LiteralPin, ...]:
    """The one of `pins_of` that a version is said for, in every series.

    Of several, the version is it, or what chooses the source of the recipe's name.

    Raises:
        UsageError: as `pins_of`; or nobody can say which is meant.
        RecipeError: as `pins_of`.
    """
    pins = pins_of(recipes, name)
    if len({pin.recipe.base for pin in pins}) > 1:
        raise _several(name, pins)
    for chosen in (pins, [*filter(is_version, pins)], [*filter(_is_named, pins)]):
        if len({_common_key(pin) for pin in chosen}) == 1:
            return tuple(chosen)
    raise _several(name, pins)


def _leading(recipes: RecipeCollection, recipe: Recipe, seen: set[str]) -> Iterator[LiteralPin]:
    if recipe.base in seen:
        return
    seen.add(recipe.base)
    following = _followed(recipe, recipe.version)
    own = () if following else file_pins(recipes.series.every(recipe.base, recipe.at("version")))
    yield from [pin for pin in own if not _is_address(pin)] or own
    version = None if own or following else version_pin(recipe)
    if version:
        yield version
        return
    for each in sorted(following or (set() if own else _lenders(recipe))):
        yield from _leading(recipes, recipes.file(each, recipe.at("version")), seen)


def _parts(recipes: RecipeCollection, recipe: str, part: str) -> list[LiteralPin]:
    """The pins of a recipe that are called so, or that choose the source which is."""
    own = file_pins(recipes.series.every(recipe))
    called = [pin for pin in own if pin.part == part]
    return called or [pin for pin in own if any(use.source == part for use in pin.uses)]


def _is_address(pin: LiteralPin) -> bool:
    """Whether it is all of an address, of which nobody has a list."""
    return pin.is_in_source and not any(use.template for use in pin.uses)


def _is_named(pin: LiteralPin) -> bool:
    return any(use.source == pin.recipe.base for use in pin.uses)


def _common_key(pin: LiteralPin) -> tuple[str, ...]:
    """Where it stands, in whichever series."""
    return ("per-series", pin.variable) if pin.series else pin.key


def _followed(recipe: Recipe, pin: Pin) -> set[str]:
    """The recipes that a derived value is read from."""
    if isinstance(pin, str):
        return set()
    uses = {rung.source: recipe.sources.get(rung.source) for rung in pin.rungs if rung.source}
    followed = {name for name, use in uses.items() if use is None}
    for use in filter(None, uses.values()):
        if isinstance(use.spec, FromSpec):
            followed.add(use.spec.recipe)
    return followed


def _lenders(recipe: Recipe) -> set[str]:
    """The recipes whose source it has, and those that the values of its own are read from."""
    lent = {use.spec.recipe for use in recipe.sources.values() if isinstance(use.spec, FromSpec)}
    for use in recipe.sources.values():
        for name in used_names(use.spec):
            lent |= _followed(recipe, recipe.all_pins.get(name, ""))
    return lent


def _several(name: str, pins: Sequence[LiteralPin]) -> UsageError:
    recipes = sorted({pin.recipe.base for pin in pins})
    if len(recipes) > 1:
        msg = f"{name} follows several recipes, of which each may move"
        return UsageError(msg, where=name, hint=f"name one: {', '.join(recipes)}")
    (base,) = recipes
    names = ", ".join(dict.fromkeys(f"{base}/{pin.part}" for pin in pins))
    msg = f"{base} has several sources that move"
    return UsageError(msg, where=base, hint=f"name one: {names}")
