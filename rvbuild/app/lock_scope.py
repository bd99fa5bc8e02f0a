"""Which recipes a lock is for, and which of them are broken.

Knows: what must be readable before a recipe can be locked. Must not know: locks' entries, how
facts are found.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import INDEPENDENT, Load, RecipeGraph, Target, with_checkers
from rvbuild.core.lock import Lock
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection


@frozen(kw_only=True)
class LockScope:
    """The recipes of one `lock`.

    - Who names recipes gets these, with all that they need. If one of them is broken, or needs a
      broken one, that is the error.
    - Who names none gets the project's. A broken one is left out, and so is each that needs it.
    - Another recipe that is broken matters to nobody.

    Example: ``half`` has a typing error, ``app`` has it as an input, ``other`` does not. A lock of
    ``other`` succeeds, one of ``app`` fails, and one of everything has ``other`` alone.

    Attributes:
        graph: What is needed of each other.
        recipes: What to lock, by name.
        project: All that can be read of the project's, and of those that its lock has.
        shipped: All that can be read of any.
        failures: What is wrong with each recipe that was left out, by name.
    """

    graph: RecipeGraph
    recipes: dict[str, Recipe]
    project: tuple[Recipe, ...]
    shipped: tuple[Recipe, ...]
    failures: dict[str, RecipeError]


def lock_scope(session: Session, names: tuple[str, ...], old: Lock) -> LockScope:
    """What `lock` with these names is for; none: everything of the project.

    Raises:
        UsageError: there is no recipe of one of the names.
        RecipeError: a recipe of that name, or one that it needs, is broken.
    """
    folder = session.folder
    own = RecipeCollection(session.workspace.recipes[:1]).names()
    had = {name for name in old.recipes() if folder.path(name)}
    unreadable: dict[str, RecipeError] = {}
    project = _readable(folder.load, sorted({*own, *had}), unreadable)
    failures = {} if names else dict(unreadable)
    shipped = _readable(folder.load, folder.names(), unreadable)
    if names:
        graph = _graph(session, names)
    else:
        graph = _sound_graph(session, [name for name in own if name not in failures], failures)
    all_of_it = {} if names else {each.name: each for each in project if each.name not in failures}
    return LockScope(
        graph=graph,
        recipes={**graph.recipes, **all_of_it},
        project=project,
        shipped=shipped,
        failures=failures,
    )


def _readable(
    load: Load, names: Iterable[str], failures: dict[str, RecipeError]
) -> tuple[Recipe, ...]:
    """The recipes that can be read; what is wrong with each other one gets into ``failures``."""
    recipes = []
    for name in names:
        try:
            recipes.append(load(name, None))
        except RecipeError as error:
            failures[name] = error
    return tuple(recipes)


def _sound_graph(
    session: Session, names: list[str], failures: dict[str, RecipeError]
) -> RecipeGraph:
    """The graph of the recipes that need nothing broken; the others get into ``failures``."""
    try:
        return _graph(session, names)
    except RecipeError:  # of one of them: each is looked at alone
        pass
    for name in names:
        try:
            _graph(session, [name])
        except RecipeError as error:
            failures[name] = error
    return _graph(session, [name for name in names if name not in failures])


def _graph(session: Session, names: Iterable[str]) -> RecipeGraph:
    load = session.folder.load
    targets = [target for name in names for target in _targets(load(name))]
    graph = RecipeGraph(with_checkers(targets, load), load, session.build_arch, checks=True)
    _load_choices(graph, load)
    return graph


def _load_choices(graph: RecipeGraph, load: Load) -> None:
    """See that each recipe that an option offers is there; a build reads only the chosen ones."""
    for recipe in graph.recipes.values():
        for name, option in recipe.options.items():
            for value, choice in option.choices.items():
                load(choice, recipe.at(f"options.{name}.choices.{value}"))


def _targets(recipe: Recipe) -> list[Target]:
    if recipe.kind in {"tool", "source"}:
        return [Target(recipe.name, INDEPENDENT)]
    return [Target(recipe.name, arch) for arch in recipe.architectures]
