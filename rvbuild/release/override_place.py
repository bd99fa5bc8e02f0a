"""Where recipes say what stands instead of upstream's values, and how it is decided again.

Knows: the keys below which an override stands. Must not know: whether one holds, locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from rvbuild.core.override import Override
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.recipe_instead import KEY as INSTEAD
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.release.literal_pin import is_literal

WHILE = "while"
_SETS = "go-modules"


@frozen(kw_only=True)
class OverridePlace:
    """An override in a recipe's file.

    Attributes:
        recipe: The recipe whose file has it.
        series: The series in which it stands; empty if it stands beside the value.
        of: What it stands for, as ``runc/version``, or ``k3s-source/k3s/golang.org/x/net``.
        override: What it says.
        key: Where it stands.
        alone: The outermost key below which nothing else stands.
    """

    recipe: Recipe
    series: str
    of: str
    override: Override
    key: KeyPath
    alone: KeyPath

    @property
    def is_of_literal(self) -> bool:
        """Whether what it stands for is said by the recipe itself."""
        pin = self.recipe.all_pins.get(self.of.rpartition("/")[2], "")
        return not (self.series or isinstance(pin, str)) and is_literal(pin)

    @property
    def name(self) -> str:
        """By what a person says for which of upstream's values it is decided."""
        return f"{self.of}.{WHILE}"


def override_places(recipes: Iterable[Recipe]) -> Iterator[OverridePlace]:
    """The overrides that recipes' own files say, of recipes as they are read, without series."""
    for recipe in recipes:
        yield from _beside(recipe)
        for series in recipe.per_series:
            yield from _of_series(recipe, series)


def _beside(recipe: Recipe) -> Iterator[OverridePlace]:
    for name, pin in recipe.all_pins.items():
        if not isinstance(pin, str) and pin.instead is not None:
            outer: KeyPath = ("pins", name) if name in recipe.pins else (name,)
            yield _place(recipe, "", f"{recipe.base}/{name}", pin.instead, (*outer, INSTEAD))
    modules = recipe.go_modules.instead if recipe.go_modules else {}
    at: KeyPath = ("inputs", _SETS, INSTEAD)
    for module, override in modules.items():
        alone = at if len(modules) == 1 else (*at, module)
        yield _place(recipe, "", f"{recipe.base}/{module}", override, (*at, module), alone)


def _of_series(recipe: Recipe, series: str) -> Iterator[OverridePlace]:
    overrides = recipe.per_series[series].instead
    at: KeyPath = ("per-series", series, INSTEAD)
    is_one_key = not (overrides.pins and overrides.modules)
    for ref, override in overrides.pins.items():
        key = (*at, "pins", str(ref))
        alone = key if len(overrides.pins) > 1 else at if is_one_key else key[:-1]
        yield _place(recipe, series, str(ref), override, key, alone)
    for of_set, modules in overrides.modules.items():
        for module, override in modules.items():
            key = (*at, _SETS, str(of_set), module)
            alone = key if len(modules) > 1 else key[:-1]
            if len(modules) == len(overrides.modules) == 1:
                alone = at if is_one_key else key[:-2]
            yield _place(recipe, series, f"{of_set}/{module}", override, key, alone)


def _place(  # noqa: PLR0913, PLR0917 - the parts of one value
    recipe: Recipe,
    series: str,
    of: str,
    override: Override,
    key: KeyPath,
    alone: KeyPath | None = None,
) -> OverridePlace:
    return OverridePlace(
        recipe=recipe, series=series, of=of, override=override, key=key, alone=alone or key
    )
