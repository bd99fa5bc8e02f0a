"""Which recipes' pins a run is about.

Knows: whose recipes a project has, and what they are read from. Must not know: what pins are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from rvbuild.app.lock_scope import named_recipes
from rvbuild.app.session import Session
from rvbuild.core.errors import RecipeError, RvbuildError, each_once
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.release.locked_values import LockedValues


@frozen
class LoadedRecipes:
    """Reads recipes as `core.pinned.Recipes` does."""

    folder: RecipeCollection

    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe:
        return self.folder.load(name, asked_at, series)


def locked_values(session: Session) -> LockedValues:
    """What recipes and the lock have, which is read here.

    Raises:
        LockError: the lock cannot be read.
    """
    return LockedValues(
        lock=session.known(partly=True),
        recipes=LoadedRecipes(session.folder),
        build_arch=session.build_arch,
    )


def own_names(session: Session) -> list[str]:
    """The names of the project's own recipes, or without a project of those of rvbuild."""
    return RecipeCollection(session.workspace.recipes[:1]).names()


def own_recipes(session: Session, failures: list[RvbuildError]) -> Iterator[Recipe]:
    """Those of `own_names`, each in every series; what is wrong with one gets into ``failures``.

    What is wrong with a series is wrong with each recipe that has it, and comes once.
    """
    errors: list[RvbuildError] = []
    for name in own_names(session):
        try:
            yield from session.folder.series.every(name)
        except RecipeError as error:
            errors.append(error)
    failures += each_once(errors)


def pin_recipes(session: Session, names: tuple[str, ...]) -> Iterator[Recipe]:
    """Recipes that a person names, and all that their sources and pins are read from.

    Raises:
        UsageError: there is no recipe of a name.
        RecipeError: a named recipe is broken, or one that it reads from.
    """
    project = own_recipes(session, []) if any(name.startswith("@") for name in names) else ()
    yield from with_read(session.folder, named_recipes(session.folder, names, [*project]))


def with_read(folder: RecipeCollection, recipes: Iterable[Recipe]) -> Iterator[Recipe]:
    """Recipes, and all that their sources and pins are read from, the nearest first.

    Raises:
        RecipeError: one of those is broken.
    """
    known, waiting = set[str](), [*recipes]
    while waiting:
        recipe = waiting.pop(0)
        if recipe.name not in known:
            known.add(recipe.name)
            yield recipe
            waiting += [
                folder.load(name, recipe.at("sources"), recipe.series) for name in _read(recipe)
            ]


def _read(recipe: Recipe) -> Iterable[str]:
    """The recipes that a recipe's sources and pins are read from."""
    names = [use.spec.recipe for use in recipe.sources.values() if isinstance(use.spec, FromSpec)]
    pins = [pin for pin in recipe.all_pins.values() if not isinstance(pin, str)]
    rungs = [rung.source for pin in pins for rung in pin.rungs if rung.source]
    return dict.fromkeys([*names, *(name for name in rungs if name not in recipe.sources)])
