"""What changed between two locks, two revisions of the project, or two series of a recipe.

Knows: what is compared of two sides. Must not know: how sides are read, how a change is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from rvbuild.app.diff_commits import upstream_logs
from rvbuild.app.diff_replaced import replaced_modules
from rvbuild.app.diff_side import ComparedSide, sides_of
from rvbuild.app.session import Session
from rvbuild.core.component import Component
from rvbuild.core.derivation import Derivation
from rvbuild.core.errors import (
    LockError,
    RecipeError,
    RvbuildError,
    UsageError,
    closest,
    each_once,
    raise_failures,
)
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.lock_diff import LockDiff, compare_locks
from rvbuild.core.module_replacement import ReplacementChange
from rvbuild.core.names import SetRef
from rvbuild.core.question import set_ref
from rvbuild.core.rebuild import Rebuild, compare_results
from rvbuild.core.recipe_diff import RecipeDiff, compare_recipes
from rvbuild.core.side import Side
from rvbuild.core.source import Source
from rvbuild.core.upstream_log import UpstreamLog
from rvbuild.kinds.table import kind_of


@frozen(kw_only=True)
class DiffView:
    """Two sides, and what differs.

    Attributes:
        old: What a person calls the former side; empty for the project as it is.
        new: The same of the side now.
        lock: What differs of pins and sources.
        replaced: Go modules that are had from another path, where the store has both go.mod.
        recipes: What differs of recipes beside that.
        rebuild: What would be built again; None where a side is a lock alone.
        logs: Of sources that are other commits; None unless asked for.
        failures: What is wrong with recipes that were left out, and with logs.
        targets: Those that were asked about; empty for all.
    """

    old: str
    new: str
    lock: LockDiff
    replaced: tuple[ReplacementChange, ...]
    recipes: RecipeDiff
    rebuild: Rebuild | None
    logs: tuple[UpstreamLog, ...] | None
    failures: tuple[RvbuildError, ...]
    targets: tuple[str, ...] = ()

    @property
    def same(self) -> tuple[str, ...]:
        """The targets that were asked about, and are the same on both sides."""
        if self.rebuild is None:
            return ()
        others = {name for name, _ in self.rebuild.unlinked}
        others |= {each.target for each in self.rebuild.targets}
        return tuple(name for name in self.targets if name not in others)

    def refuse_failures(self) -> None:
        """See that every recipe could be read, and every log.

        Raises:
            RvbuildError: one could not.
            RunFailed: several could not.
        """
        raise_failures(self.failures, self)


def compare_sides(
    session: Session,
    words: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    *,
    commits: bool = False,
) -> DiffView:
    """Compare what words name; nothing is made, and only for logs somebody outside may be asked.

    Args:
        session: The project; what is set there holds for both sides.
        words: At most two; see `sides_of`.
        targets: Which of the targets to look at, with what these need and nothing else; by the
            names that both sides have. Empty: all that both sides have, and all of both sides.
        commits: Whether to read the logs of sources that are other commits.

    Raises:
        UsageError: a word names nothing, or a target is not on both sides.
        RvbuildError: a side cannot be read.
    """
    former, current = sides_of(session, words)
    rebuild, (old, new) = _of_targets(session, former, current, targets)
    lock = compare_locks(old, new, _describe)
    logs = upstream_logs(session.sources, old, new) if commits else None
    errors = [error for side in (former, current) for error in side.unreadable.values()]
    errors += [log.problem for log in logs or () if log.problem]
    return DiffView(
        old=old.name,
        new=new.name,
        lock=lock,
        replaced=replaced_modules(session, (old, new), lock.sets),
        recipes=compare_recipes(old, new),
        rebuild=rebuild,
        logs=logs,
        failures=tuple(each_once(errors)),
        targets=targets,
    )


def _describe(source: Source) -> Component:
    return kind_of(source).component(source)


# ---- what would be built again


def _of_targets(
    session: Session, old: ComparedSide, new: ComparedSide, wanted: tuple[str, ...]
) -> tuple[Rebuild | None, tuple[Side, Side]]:
    """What would be built again, and what is to be compared of both sides.

    Raises:
        UsageError: a target is not on both sides.
    """
    if not old.recipes or not new.recipes:
        if wanted:
            msg = "a lock alone does not say what the target needs"
            raise UsageError(msg, where=wanted[0], hint="compare revisions or series")
        return None, (old.side, new.side)
    names = _names(old, new, wanted)
    then, now = _linked(session, old, names), _linked(session, new, names)
    rebuild = _rebuild(then, now, names)
    if not wanted:
        return rebuild, (old.side, new.side)
    # of both, so that what a target needs on one side alone did not come or go for that
    recipes = then.recipes(old.side) | now.recipes(new.side)
    sets = then.sets(old.side) | now.sets(new.side)
    return rebuild, (old.side.only(recipes, sets), new.side.only(recipes, sets))


def _rebuild(then: _Results, now: _Results, names: Iterable[str]) -> Rebuild:
    errors = {**then.errors, **now.errors}
    pairs = {name: (then.results[name], now.results[name]) for name in names if name not in errors}
    rebuild = compare_results(pairs, then.derivations, now.derivations)
    return evolve(rebuild, unlinked=tuple(errors.items()))


def _names(old: ComparedSide, new: ComparedSide, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the targets to look at.

    Raises:
        UsageError: one of them is not on both sides.
    """
    both = [name for name in new.targets if name in old.targets]
    for name in wanted:
        if name not in both:
            msg = "both sides must have the target"
            known = closest(name, both)
            hint = f"did you mean {known}?" if known else "leave it out to see all that both have"
            raise UsageError(msg, where=name, hint=hint)
    return wanted or tuple(both)


@frozen(kw_only=True)
class _Results:
    """The targets of a side: their results and all derivations, or what is wrong with them."""

    graph: RecipeGraph
    results: Mapping[str, str]
    derivations: Mapping[str, Derivation]
    errors: Mapping[str, RvbuildError] = field(factory=dict)

    def recipes(self, side: Side) -> set[str]:
        """The recipes that they need, by the names that both sides have."""
        return {side.common(name) for name in self.graph.recipes}

    def sets(self, side: Side) -> set[SetRef]:
        """The sets of Go modules that they need, likewise."""
        users = [(each, each.go_modules) for each in self.graph.recipes.values()]
        return {side.module_set(set_ref(self.graph, each, spec)) for each, spec in users if spec}


def _linked(session: Session, side: ComparedSide, names: Iterable[str]) -> _Results:
    """The targets of a side by the names that both sides have; one that is broken spares others."""
    targets = {name: side.targets[name] for name in names}
    try:
        return _results(session, side, targets)
    except (RecipeError, LockError):
        pass
    errors: dict[str, RvbuildError] = {}
    for name, target in targets.items():
        try:
            side.link(session, [target])
        except (RecipeError, LockError) as error:
            errors[name] = error
    sound = {name: target for name, target in targets.items() if name not in errors}
    return evolve(_results(session, side, sound), errors=errors)


def _results(session: Session, side: ComparedSide, targets: Mapping[str, Target]) -> _Results:
    graph, linked = side.link(session, targets.values())
    results = {name: linked.results[target] for name, target in targets.items()}
    return _Results(graph=graph, results=results, derivations=linked.derivations)
