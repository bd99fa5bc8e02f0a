"""What targets are: their recipes, options, sources and pins.

Knows: what people ask about a target. Must not know: how anything is built, how it is shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from rvbuild.app.closure import Closure, closure_of
from rvbuild.app.session import Session
from rvbuild.app.source_inventory import SourceInventory, SourceStatus
from rvbuild.app.unvouched import overridden_sets
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.lock import Lock, PinValue
from rvbuild.core.override import Override
from rvbuild.core.recipe import Option, Recipe
from rvbuild.core.spec_text import spec_text


@frozen(kw_only=True)
class UpstreamSupport:
    """What the recipe of a source says of upstream, in one series.

    Attributes:
        recipe: Its name, without series.
        release: Upstream's name of the release; empty if it is none.
        end_of_support: The last day, as ``2027-02-28``; empty if nobody says one.
        has_ended: Whether that day is over.
    """

    recipe: str
    release: str
    end_of_support: str
    has_ended: bool


@frozen(kw_only=True)
class SeriesStatus:
    """The series of a target.

    Attributes:
        name: ``1.34``.
        others: The recipe's other series.
        default: The one that the recipe's name alone means; empty if it means none.
        upstream: Of those sources of the series whose recipes say releases or support.
    """

    name: str
    others: tuple[str, ...]
    default: str
    upstream: tuple[UpstreamSupport, ...]


@frozen(kw_only=True)
class TargetStatus:
    """A target, and its derivation.

    Attributes:
        target: ``runc-riscv64``.
        recipe: The one that says how it is made.
        series: The series that it is of; None if its recipe has none.
        derivation: Its digest; None if the lock lacks something.
        problem: What the lock lacks, or None.
        needs: Every target that it needs, in the order of the work.
        options: What can be chosen for it.
        sources: Those of its recipe, and what the lock lacks of what it needs.
    """

    target: Target
    recipe: Recipe
    series: SeriesStatus | None
    derivation: str | None
    problem: LockError | None
    needs: tuple[Target, ...]
    options: tuple[OptionValue, ...]
    sources: tuple[SourceStatus, ...]


@frozen(kw_only=True)
class OptionValue:
    """A value that an option of a recipe can have.

    Attributes:
        recipe: Whose option it is.
        option: The option's name.
        value: The value's name.
        input: The input of the recipe that the value stands for.
        choice: The recipe that is taken then.
        summary: What that is.
        is_taken: Whether the targets are made with it.
    """

    recipe: str
    option: str
    value: str
    input: str
    choice: str
    summary: str
    is_taken: bool


@frozen(kw_only=True)
class OverriddenModule:
    """A Go module that stands instead of what a go.mod says.

    Attributes:
        set: The set's name: ``k3s-source@1.32/k3s``.
        module: Its path as it is imported.
        upstream: What go.mod says: a version, or a path and a version.
        source: The recipe of the source.
        file: The go.mod.
        line: The line in it.
        instead: What stands there, and why.
    """

    set: str
    module: str
    upstream: str
    source: str
    file: str
    line: int
    instead: Override


@frozen(kw_only=True)
class TargetsView:
    """What targets are.

    Attributes:
        targets: In the order in which they were named.
        recipes: The names of these, and of recipes that their pins are read from, sorted.
        options: What can be chosen for any of them.
        sources: Those of all targets, each once.
        pins: Each derived pin of what they need, by RECIPE/NAME; empty unless asked for.
        modules: Each Go module that stands instead of go.mod's, of what they need; likewise.
        unvouched: By a set's name, each module of it of which the lock has a sum that nobody
            vouches for, as PATH@VERSION; likewise.
        closure: Every source that they need; empty unless asked for.
    """

    targets: tuple[TargetStatus, ...]
    recipes: tuple[str, ...]
    options: tuple[OptionValue, ...]
    sources: tuple[SourceStatus, ...]
    pins: Mapping[str, PinValue]
    modules: tuple[OverriddenModule, ...]
    unvouched: Mapping[str, tuple[str, ...]]
    closure: Closure


def view_targets(
    session: Session,
    targets: tuple[Target, ...],
    *,
    pins: bool = False,
    closure: bool = False,
    today: dt.date | None = None,
) -> TargetsView:
    """Look at targets; nothing is made, and the lock may lack some of their sources.

    Args:
        session: Whose recipes and lock are read.
        targets: What to look at.
        pins: Whether to list derived pins.
        closure: Whether to look at every source that they need, which takes longest.
        today: The day on which support may have ended; None: this one, in UTC.
    """
    today = today or dt.datetime.now(tz=dt.UTC).date()
    graph = session.graph(targets, checks=False)
    inventory = SourceInventory(session.linker(graph), session.lookup())
    linked = inventory.link(targets)
    problem = linked if isinstance(linked, LockError) else None
    results = {} if isinstance(linked, LockError) else linked.results
    look = _Look(session, graph, inventory, results, problem, today)
    statuses = tuple(map(look.at, targets))
    architectures = sorted({target.arch for target in targets if target.arch})
    lock = session.lock() if pins else Lock()
    return TargetsView(
        targets=statuses,
        recipes=tuple(sorted(graph.recipes)),
        options=tuple(_options(graph, session, graph.order())),
        sources=_each_once([each for status in statuses for each in status.sources], ()),
        pins=_pins(graph, lock),
        modules=tuple(_modules(graph, lock)),
        unvouched=_unvouched(graph, lock),
        closure=closure_of(inventory.all() if closure else (), architectures),
    )


@frozen
class _Look:
    """What there is to see of each target."""

    session: Session
    graph: RecipeGraph
    inventory: SourceInventory
    results: Mapping[Target, str]
    problem: LockError | None
    today: dt.date

    def at(self, target: Target) -> TargetStatus:
        recipe, needs = self.graph.recipe(target.recipe), self.graph.needed_by(target)
        problem = self.problem
        own = [*self.inventory.of(recipe)]
        recipes = dict.fromkeys(each.recipe for each in (*needs, target)) if problem else ()
        missing = [
            each for name in recipes for each in self.inventory.lacking(self.graph.recipe(name))
        ]
        return TargetStatus(
            target=target,
            recipe=recipe,
            series=_series(self.session, self.graph, target, self.today),
            derivation=None if problem else self.results[target],
            problem=problem,
            needs=tuple(needs),
            options=tuple(_options(self.graph, self.session, [*needs, target])),
            sources=_each_once(own, missing),
        )


def _series(
    session: Session, graph: RecipeGraph, target: Target, today: dt.date
) -> SeriesStatus | None:
    recipe, series = graph.recipe(target.recipe), session.folder.series
    if not recipe.series:
        return None
    of_series = [each for each in graph.recipes.values() if each.series == recipe.series]
    return SeriesStatus(
        name=recipe.series,
        others=tuple(each for each in series.series_of(recipe) or () if each != recipe.series),
        default=series.default_of(recipe),
        upstream=tuple(_support(each, today) for each in of_series if _says_support(each)),
    )


def _support(recipe: Recipe, today: dt.date) -> UpstreamSupport:
    end = recipe.in_series.end_of_support
    return UpstreamSupport(
        recipe=recipe.base,
        release=recipe.in_series.release,
        end_of_support=end,
        has_ended=bool(end) and dt.date.fromisoformat(end) < today,
    )


def _says_support(recipe: Recipe) -> bool:
    return any(each.release or each.end_of_support for each in recipe.per_series.values())


def _each_once(
    own: Iterable[SourceStatus], missing: Iterable[SourceStatus]
) -> tuple[SourceStatus, ...]:
    """The targets' sources, and what others lack; two users of one may have their own patches."""
    named = {(each.name, each.patches): each for each in own}
    names = {name for name, _ in named}
    others = {
        each.name or each.description.name: each for each in missing if each.name not in names
    }
    return (*named.values(), *others.values())


def _options(
    graph: RecipeGraph, session: Session, targets: Iterable[Target]
) -> Iterator[OptionValue]:
    """Each value that an option of some targets can have there, and whether it is taken."""
    users: dict[str, list[Target]] = {}
    for target in targets:
        users.setdefault(target.recipe, []).append(target)
    for same in users.values():
        for name, option in graph.recipe(same[0].recipe).options.items():
            yield from _values(graph, session, same, (name, option))


def _values(
    graph: RecipeGraph, session: Session, users: list[Target], named: tuple[str, Option]
) -> Iterator[OptionValue]:
    """The values of one option that fit one of the architectures that its recipe is needed for.

    A recipe that cannot be read is still one that the option offers.
    """
    recipe, (name, option) = graph.recipe(users[0].recipe), named
    architectures = {each.arch or session.build_arch for each in users}
    for value, choice in option.choices.items():
        try:
            offer = session.folder.load(choice, recipe.at(f"options.{name}.choices.{value}"))
            summary, fits = offer.summary, not architectures.isdisjoint(offer.architectures)
        except RecipeError as error:
            summary, fits = f"cannot be read: {error}", True
        if fits:
            yield OptionValue(
                recipe=recipe.name,
                option=name,
                value=value,
                input=option.input,
                choice=choice,
                summary=summary,
                is_taken=graph.chosen_recipe(users[0], option.input) == choice,
            )


def _modules(graph: RecipeGraph, lock: Lock) -> Iterator[OverriddenModule]:
    """Each once, although several recipes may use a set."""
    for ref, spec in overridden_sets(graph).items():
        entry = lock.set_for(ref, spec_text(spec))
        for each in entry.upstream if entry else ():
            if each.module in spec.instead:
                yield OverriddenModule(
                    set=str(ref),
                    module=each.module,
                    upstream=each.version,
                    source=ref.source.recipe,
                    file=each.file,
                    line=each.line,
                    instead=spec.instead[each.module],
                )


def _unvouched(graph: RecipeGraph, lock: Lock) -> dict[str, tuple[str, ...]]:
    sets = ((ref, lock.set_for(ref, spec_text(s))) for ref, s in overridden_sets(graph).items())
    return {str(ref): each.unvouched_modules for ref, each in sets if each and each.unvouched}


def _pins(graph: RecipeGraph, lock: Lock) -> dict[str, PinValue]:
    """Each derived pin of the recipes that the targets need, and of what they read from."""
    return {str(ref): lock.pins[ref] for ref in sorted(lock.pins) if ref.recipe in graph.recipes}
