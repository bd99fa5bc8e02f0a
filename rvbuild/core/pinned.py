"""What recipes are pinned to: `core.locked` reads it from a lock, `engine.resolve` asks for it.

Knows: which source a name means, and how a recipe's texts get their pinned values.
Must not know: who answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from attrs import field, frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.lock import (
    GoModuleSet,
)
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    FromSpec,
    GoModulesSpec,
    Reading,
    Recipe,
    substitute_spec,
    used_names,
)
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec


class Pinned(Protocol):
    """Answers what a pin, a source, or a set of Go modules is."""

    def pin(self, recipe: Recipe, name: str) -> str: ...

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of ``recipe``'s own sources."""
        ...

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet: ...


class Recipes(Protocol):
    """Reads a recipe by name; ``asked_at`` is the place that names it, in one of ``series``."""

    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe: ...


@frozen
class Values(Mapping[str, str]):
    """What ``${…}`` may name in a recipe, each pin looked up only when it is named."""

    recipe: Recipe
    pinned: Pinned
    fixed: Mapping[str, str] = field(factory=dict)

    def __getitem__(self, name: str) -> str:
        if name in self.fixed:
            return self.fixed[name]
        if name in self.recipe.all_pins:
            return self.pinned.pin(self.recipe, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self.fixed
        yield from self.recipe.all_pins

    def __len__(self) -> int:
        return len(self.fixed) + len(self.recipe.all_pins)


def named_source(
    recipes: Recipes, recipe: Recipe, name: str, where: Place | None
) -> tuple[Recipe, str]:
    """The recipe and the name of the source that ``recipe`` calls ``name``.

    What is said by ``{from: …}`` may be any recipe's source; a pin, which names a recipe without
    it, reads only what is there to be read by others.

    Raises:
        RecipeError: it is neither one of its own sources nor a ``kind: source`` recipe, or the
            recipe that lends its source has none, or several.
    """
    use = recipe.sources.get(name)
    if use is None:
        owner = recipes.recipe(name, where, recipe.series)
        if owner.kind != "source":
            msg = f"{name!r} is neither a source of this recipe nor a 'kind: source' recipe"
            raise RecipeError(msg, where=where)
    elif isinstance(use.spec, FromSpec):
        owner = recipes.recipe(use.spec.recipe, where, recipe.series)
    else:
        return recipe, name
    return owner, _lent(owner, where)


def _lent(owner: Recipe, where: Place | None) -> str:
    """The source that a recipe lends to others: that of its own name, or the only one."""
    if owner.lent_source:
        return owner.lent_source
    own = [name for name, use in owner.sources.items() if not isinstance(use.spec, FromSpec)]
    msg = f"{owner.name!r} has no source of its own, or several: none is called {owner.base!r}"
    hint = f"name the 'kind: source' recipe; {owner.name} has: {', '.join(own) or 'none'}"
    raise RecipeError(msg, where=where, hint=hint)


def described(
    recipe: Recipe,
    name: str,
    pinned: Pinned,
    build_arch: str,
    others: Mapping[str, str] | None = None,
) -> SourceSpec:
    """A source's description with every ``${…}`` replaced; ``others`` go before the pinned ones."""
    use = recipe.sources[name]
    fixed = {"name": recipe.base, "build_arch": build_arch, **recipe.in_series.values}
    fixed |= others or {}
    values = Values(recipe, pinned, fixed)
    _refuse_empty(recipe, used_names(use.spec), values, use.where)
    return substitute_spec(use.spec, values, use.where)


def _refuse_empty(
    recipe: Recipe, names: Iterable[str], values: Mapping[str, str], where: Place | None
) -> None:
    """See that what a source says has a value: a part of an address that is not there is no part.

    Raises:
        RecipeError: one has not, or it is empty.
    """
    for name in sorted(names):
        if not values.get(name, name):
            lacks = "has none" if recipe.all_pins.get(name) else f"has no `{name}`"
            msg = f"`${{{name}}}` is used here, and the recipe {lacks}"
            hint = f'say it: `{name}: "1.2.3"`' if name == "version" else None
            raise RecipeError(msg, where=where, hint=hint)


def git_fact(source: Source, reading: Reading) -> str:
    """A fact about a commit, as the pin adjusts it: ``commit``, ``short``, ``date``, ``iso-date``.

    Raises:
        RecipeError: the source is not a git tree.
    """
    facts = source.commit_facts
    if not facts:
        msg = f"{reading.source!r} is not a git source"
        raise RecipeError(msg, where=reading.where)
    return reading.adjusted(facts[reading.argument])
