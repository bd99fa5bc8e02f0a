"""`outdated`: each pin of recipes, held against its upstream.

Knows: which recipes are meant, and what is set. Must not know: what an answer means, how it is
shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from rvbuild.app.lock_scope import named_recipes
from rvbuild.app.session import Session
from rvbuild.caches.parallel import ask_all
from rvbuild.core.errors import RecipeError, RvbuildError, raise_failures
from rvbuild.core.pin_status import PinState, PinStatus
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.core.update_policy import UpdatePolicy, policy_of
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.release.literal_pin import literal_pins
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.pin_review import PinReview
from rvbuild.release.upstreams import Upstreams


@frozen(kw_only=True)
class OutdatedView:
    """Every pin.

    Attributes:
        pins: Literal ones, and then derived ones, each in the order of their recipes.
        failures: What is wrong with recipes that were left out.
    """

    pins: tuple[PinStatus, ...]
    failures: tuple[RvbuildError, ...] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether something may be moved."""
        return any(pin.state is PinState.MOVABLE for pin in self.pins)

    def refuse_failures(self) -> None:
        """See that every recipe could be read.

        Raises:
            RvbuildError: one could not.
            RunFailed: several could not.
        """
        raise_failures(self.failures, self)


def outdated_pins(
    session: Session,
    names: tuple[str, ...] = (),
    *,
    clock: Callable[[], float] = time.time,
) -> OutdatedView:
    """Hold pins against their upstreams; nothing is changed, and no lock need be up to date.

    Args:
        session: Whose recipes they are.
        names: Recipes, as `app.lock_scope` has them: these, and those that their sources and pins
            are read from. Empty: all of the project.
        clock: Tells the time, in Unix seconds.

    Raises:
        UsageError: there is no recipe of a name.
        RecipeError: a named recipe is broken, or one that it reads from.
        LockError: the lock cannot be read.
    """
    failures: list[RvbuildError] = []
    recipes = [*_named(session, names)] if names else [*_own(session, failures)]
    look = PinReview(
        upstreams=Upstreams(session.sources),
        values=LockedValues(
            lock=session.known(partly=True),
            recipes=_Loaded(session.folder),
            build_arch=session.build_arch,
        ),
        policy=default_policy(session),
        now=clock(),
        offline=session.workspace.settings.offline,
    )
    try:
        literal = ask_all(look.literal, [*literal_pins(recipes)])
    except BaseException:
        session.sources.cancel()  # those that still wait for a server
        raise
    return OutdatedView(pins=(*literal, *look.derived(recipes)), failures=tuple(failures))


def default_policy(session: Session) -> UpdatePolicy:
    """What pins may move to by themselves, if neither recipe nor series says anything."""
    said = session.workspace.settings.update
    return policy_of(said.get("policy", ""), said.get("min-age", ""))


@frozen
class _Loaded:
    """Reads recipes as `core.pinned.Recipes` does."""

    folder: RecipeCollection

    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe:
        return self.folder.load(name, asked_at, series)


def _own(session: Session, failures: list[RvbuildError]) -> Iterator[Recipe]:
    """The project's own recipes, or without a project those that came with rvbuild."""
    for name in RecipeCollection(session.workspace.recipes[:1]).names():
        try:
            yield from session.folder.series.every(name)
        except RecipeError as error:
            failures.append(error)


def _named(session: Session, names: tuple[str, ...]) -> Iterator[Recipe]:
    """Recipes, and all that their sources and pins are read from."""
    folder, known = session.folder, set[str]()
    project = _own(session, []) if any(name.startswith("@") for name in names) else ()
    waiting = [*named_recipes(folder, names, [*project])]
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
