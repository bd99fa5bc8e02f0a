"""What recipes are pinned to: read from a lock here, found out by `rvbuild lock` elsewhere.

Knows: which source a name means, and how a recipe's texts get their pinned values.
Must not know: how pins are found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Protocol

from attrs import field, frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.lock import GoModuleSet, Lock, modules_key, source_key
from rvbuild.core.recipe import (
    FromSpec,
    GoModulesSpec,
    Reading,
    Recipe,
    SourceSpec,
    substitute_spec,
)
from rvbuild.core.source import GitSource, Source


class Pinned(Protocol):
    """Answers what a pin, a source, or a set of Go modules is."""

    def pin(self, recipe: Recipe, name: str) -> str: ...

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of ``recipe``'s own sources."""
        ...

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet: ...


class Recipes(Protocol):
    """Reads a recipe by name; ``asked_at`` is the place that names it."""

    def recipe(self, name: str, asked_at: str | None = None) -> Recipe: ...


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


def named_source(recipes: Recipes, recipe: Recipe, name: str, where: str) -> tuple[Recipe, str]:
    """The recipe and the name of the source that ``recipe`` calls ``name``.

    Raises:
        RecipeError: it is neither one of its own sources nor a ``kind: source`` recipe.
    """
    if name in recipe.sources:
        spec = recipe.sources[name].spec
        if not isinstance(spec, FromSpec):
            return recipe, name
        name = spec.recipe
    owner = recipes.recipe(name, where)
    if owner.kind != "source":
        msg = f"{name!r} is neither a source of this recipe nor a 'kind: source' recipe"
        raise RecipeError(msg, where=where)
    return owner, next(iter(owner.sources))


def described(recipe: Recipe, name: str, pinned: Pinned, build_arch: str) -> SourceSpec:
    """A source's description with every ``${…}`` replaced."""
    use = recipe.sources[name]
    fixed = {"name": recipe.name, "build_arch": build_arch}
    return substitute_spec(use.spec, Values(recipe, pinned, fixed), use.where)


def git_fact(source: Source, reading: Reading) -> str:
    """A fact about a commit, as the pin adjusts it: ``commit``, ``short``, ``date``, ``iso-date``.

    Raises:
        RecipeError: the source is not a git tree.
    """
    if not isinstance(source, GitSource):
        msg = f"{reading.source!r} is not a git source"
        raise RecipeError(msg, where=reading.where)
    moment = dt.datetime.fromtimestamp(source.date, tz=dt.UTC)
    facts = {
        "commit": source.commit,
        "short": source.commit[:8],
        "date": str(source.date),
        "iso-date": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return reading.adjusted(facts[reading.argument])


@frozen
class Locked:
    """Answers from a lock; whatever does not fit the recipes is a LockError."""

    lock: Lock
    recipes: Recipes
    build_arch: str

    def pin(self, recipe: Recipe, name: str) -> str:
        pin = recipe.all_pins[name]
        if isinstance(pin, Reading) and pin.reader == "git":
            owner, source = named_source(self.recipes, recipe, pin.source, pin.where)
            return git_fact(self.source(owner, source)[0], pin)
        return self.lock.pin(recipe, name, pin)

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        spec = described(recipe, name, self, self.build_arch)
        key = source_key(recipe.name, name, spec, self.build_arch)
        return self.lock.source(key, spec, recipe.sources[name].where).parts

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        owner, name = named_source(self.recipes, recipe, spec.source, spec.where)
        return self.lock.modules(modules_key(f"{owner.name}/{name}", spec.directory), spec)
