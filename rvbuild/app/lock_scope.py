"""Which recipes a lock is for, and which of them are broken.

Knows: what must be readable before a recipe can be locked. Must not know: locks' entries, how
facts are found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import RecipeError, UsageError, suggestion
from rvbuild.core.graph import INDEPENDENT, Load, RecipeGraph, Target, with_checkers
from rvbuild.core.lock import Lock
from rvbuild.core.names import RecipeName
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection


@frozen(kw_only=True)
class LockScope:
    """The recipes of one `lock`.

    - Who names recipes gets these, with all that they need. If one of them is broken, or needs a
      broken one, that is the error. ``NAME`` is the recipe in each of its series, ``NAME@SERIES``
      in one, and ``@SERIES`` is every recipe that has the series, in that one.
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
        is_complete: Whether every recipe can be read.
    """

    graph: RecipeGraph
    recipes: dict[str, Recipe]
    project: tuple[Recipe, ...]
    shipped: tuple[Recipe, ...]
    failures: dict[str, RecipeError]
    is_complete: bool

    def readable(self, names: Collection[str]) -> dict[str, Recipe]:
        """Those of the names that can be read, of any recipes."""
        every = (*self.shipped, *self.project, *self.recipes.values())
        return {each.name: each for each in every if each.name in names}


def lock_scope(session: Session, names: tuple[str, ...], old: Lock) -> LockScope:
    """What `lock` with these names is for; none: everything of the project.

    Raises:
        UsageError: there is no recipe of one of the names.
        RecipeError: a recipe of that name, or one that it needs, is broken.
    """
    folder = session.folder
    own = RecipeCollection(session.workspace.recipes[:1]).names()
    had = {RecipeName.parse(name).base for name in old.recipes()}
    unreadable: dict[str, RecipeError] = {}
    every = folder.series.every
    project = _readable(every, sorted({*own, *filter(folder.path, had)}), unreadable)
    failures = {} if names else dict(unreadable)
    shipped = _readable(every, folder.names(), unreadable)
    if names:
        graph = _graph(session, named_recipes(folder, names, project))
    else:
        mine = [each for each in project if each.base in own]
        graph = _sound_graph(session, mine, failures)
    all_of_it = {} if names else {each.name: each for each in project if each.name not in failures}
    return LockScope(
        graph=graph,
        recipes={**graph.recipes, **all_of_it},
        project=project,
        shipped=shipped,
        failures=failures,
        is_complete=not unreadable,
    )


def named_recipes(
    folder: RecipeCollection, names: tuple[str, ...], project: Iterable[Recipe]
) -> Iterator[Recipe]:
    """The recipes that a person names, as `LockScope` has it.

    Args:
        folder: All recipes.
        names: What the person wrote.
        project: Among which ``@SERIES`` is looked for.

    Raises:
        UsageError: there is none of a name, or none of a series.
    """
    for text in names:
        if "/" in text:
            msg = "a recipe is a name, not a path or an address"
            raise UsageError(msg, where=text, hint=advise("for example runc; ", Remedy.LIST))
        if text.startswith("@") and text != "@":
            yield from _of_series(text[1:], project)
        elif RecipeName.parse(text).series:
            yield folder.load(text)
        else:
            yield from folder.series.every(text)


def _of_series(series: str, project: Iterable[Recipe]) -> list[Recipe]:
    """All that has the series, in that one.

    Raises:
        UsageError: nothing has it.
    """
    of_series = [each for each in project if each.series == series]
    if not of_series:
        known = sorted({each.series for each in project if each.series})
        msg = f"no recipe of the project has the series {series!r}"
        there = f"there are {', '.join(known)}" if known else "none of them has any series"
        hint = " ".join(filter(None, (suggestion(series, known), there)))
        raise UsageError(msg, where=f"@{series}", hint=hint)
    return of_series


def _readable(
    every: Callable[[str], Iterable[Recipe]], names: Iterable[str], failures: dict[str, RecipeError]
) -> tuple[Recipe, ...]:
    """The recipes that can be read, each in all of its series.

    What is wrong with each other one gets into ``failures``.
    """
    recipes: list[Recipe] = []
    for name in names:
        try:
            recipes += every(name)
        except RecipeError as error:
            failures[name] = error
    return tuple(recipes)


def _sound_graph(
    session: Session, recipes: list[Recipe], failures: dict[str, RecipeError]
) -> RecipeGraph:
    """The graph of the recipes that need nothing broken; the others get into ``failures``."""
    try:
        return _graph(session, recipes)
    except RecipeError:  # of one of them: each is looked at alone
        pass
    for recipe in recipes:
        try:
            _graph(session, [recipe])
        except RecipeError as error:
            failures[recipe.name] = error
    return _graph(session, [each for each in recipes if each.name not in failures])


def _graph(session: Session, recipes: Iterable[Recipe]) -> RecipeGraph:
    load = session.folder.load
    targets = [target for recipe in recipes for target in _targets(recipe)]
    graph = RecipeGraph(with_checkers(targets, load), load, session.build_arch, checks=True)
    _load_choices(graph, load)
    return graph


def _load_choices(graph: RecipeGraph, load: Load) -> None:
    """See that each recipe that an option offers is there; a build reads only the chosen ones."""
    for recipe in graph.recipes.values():
        for name, option in recipe.options.items():
            for value, choice in option.choices.items():
                load(choice, recipe.at(f"options.{name}.choices.{value}"), recipe.series)


def _targets(recipe: Recipe) -> list[Target]:
    if recipe.kind in {"tool", "source"}:
        return [Target(recipe.name, INDEPENDENT)]
    return [Target(recipe.name, arch) for arch in recipe.architectures]
