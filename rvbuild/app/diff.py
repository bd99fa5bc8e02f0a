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
    raise_failures,
)
from rvbuild.core.graph import Target
from rvbuild.core.lock_diff import LockDiff, compare_locks
from rvbuild.core.module_replacement import ReplacementChange
from rvbuild.core.rebuild import Rebuild, compare_results
from rvbuild.core.recipe_diff import RecipeDiff, compare_recipes
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
    """

    old: str
    new: str
    lock: LockDiff
    replaced: tuple[ReplacementChange, ...]
    recipes: RecipeDiff
    rebuild: Rebuild | None
    logs: tuple[UpstreamLog, ...] | None
    failures: tuple[RvbuildError, ...]

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
        targets: Which of the targets to look at, by the names that both sides have; empty: all
            that both sides have.
        commits: Whether to read the logs of sources that are other commits.

    Raises:
        UsageError: a word names nothing, or a target is not on both sides.
        RvbuildError: a side cannot be read.
    """
    old, new = sides_of(session, words)
    lock = compare_locks(old.side, new.side, _describe)
    logs = upstream_logs(session.sources, old.side, new.side) if commits else None
    errors = [error for side in (old, new) for error in side.unreadable.values()]
    errors += [log.problem for log in logs or () if log.problem]
    return DiffView(
        old=old.side.name,
        new=new.side.name,
        lock=lock,
        replaced=replaced_modules(session, (old.side, new.side), lock.sets),
        recipes=compare_recipes(old.side, new.side),
        rebuild=_rebuild(session, old, new, targets) if old.recipes and new.recipes else None,
        logs=logs,
        failures=tuple({str(error): error for error in errors}.values()),
    )


def _describe(source: Source) -> Component:
    return kind_of(source).component(source)


# ---- what would be built again


def _rebuild(
    session: Session, old: ComparedSide, new: ComparedSide, wanted: tuple[str, ...]
) -> Rebuild:
    names = _names(old, new, wanted)
    then, now = _linked(session, old, names), _linked(session, new, names)
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

    results: Mapping[str, str]
    derivations: Mapping[str, Derivation]
    errors: Mapping[str, RvbuildError] = field(factory=dict)


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
    _, linked = side.link(session, targets.values())
    results = {name: linked.results[target] for name, target in targets.items()}
    return _Results(results=results, derivations=linked.derivations)
