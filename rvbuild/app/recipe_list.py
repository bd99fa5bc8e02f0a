"""The recipes that there are.

Knows: which of them can be read, and which the lock has. Must not know: how they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.core.errors import RecipeError, each_once, raise_failures
from rvbuild.core.lock import Lock, source_ref
from rvbuild.core.recipe import FromSpec, Recipe


@frozen(kw_only=True)
class RecipeList:
    """Every recipe.

    Attributes:
        recipes: Those that can be read, by name; of one with series, the first.
        unlocked: The names, without series, of those of which the lock lacks a source in one of
            their series; empty unless asked for.
        errors: What is wrong with the others, and with the default series; what is wrong with a
            series, once.
    """

    recipes: tuple[Recipe, ...]
    unlocked: frozenset[str]
    errors: tuple[RecipeError, ...]

    def refuse_errors(self) -> None:
        """See that every recipe can be read.

        Raises:
            RecipeError: one cannot.
            RunFailed: several cannot.
        """
        raise_failures(self.errors, self.recipes)


def list_recipes(session: Session, *, locked: bool = True) -> RecipeList:
    """Read every recipe; ``locked``: and the lock, to see which of them it has.

    Raises:
        LockError: the lock is not valid.
    """
    every, errors = [], list[RecipeError]()
    series = session.folder.series
    for name in session.folder.names():
        try:
            every.append(series.every(name))
        except RecipeError as error:
            errors.append(error)
    try:
        series.refuse_vain_defaults()
    except RecipeError as error:
        errors.append(error)
    unlocked = _unlocked(session, chain.from_iterable(every)) if locked else frozenset()
    recipes = tuple(variants[0] for variants in every)
    return RecipeList(recipes=recipes, unlocked=unlocked, errors=tuple(each_once(errors)))


def _unlocked(session: Session, recipes: Iterable[Recipe]) -> frozenset[str]:
    lock, machine = session.known(), session.build_arch
    return frozenset(recipe.base for recipe in recipes if not _has(lock, recipe, machine))


def _has(lock: Lock, recipe: Recipe, build_arch: str) -> bool:
    """Whether the lock has each of the recipe's own sources, whatever it says of them."""
    return all(
        isinstance(use.spec, FromSpec)
        or source_ref(recipe.name, name, use.spec, build_arch) in lock.sources
        for name, use in recipe.sources.items()
    )
