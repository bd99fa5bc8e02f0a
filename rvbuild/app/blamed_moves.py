"""The moves of an update because of which recipes cannot be locked.

Knows: what a recipe is read from, and what it needs. Must not know: whether it could be locked
before, what is done then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from rvbuild.app.lock import LockResult
from rvbuild.app.pin_scope import with_read
from rvbuild.app.update_plan import UpdatePlan
from rvbuild.app.update_view import StayedPin
from rvbuild.core.errors import RvbuildError, each_once, single_failures
from rvbuild.core.names import RecipeName
from rvbuild.core.pin_step import PinStep
from rvbuild.recipes_yaml.collection import RecipeCollection


def blamed_moves(plan: UpdatePlan, result: LockResult, lost: Sequence[str]) -> list[StayedPin]:
    """The moves that are blamed.

    These are those of a recipe itself; else of those that it is read from; else of all that it
    needs; else all moves.

    Args:
        plan: The moves.
        result: The lock with them.
        lost: The recipes that cannot be locked any more.
    """
    for reach in (_itself, _read_from, _needed):
        reached = {name: reach(plan.recipes, name) for name in lost}
        blamed = [*_stayed(plan.steps, result, reached)]
        if blamed:
            return blamed
    return [StayedPin(step, _problems(result, lost)) for step in plan.steps if lost]


def _stayed(
    steps: Iterable[PinStep], result: LockResult, reached: Mapping[str, set[str]]
) -> Iterator[StayedPin]:
    """The moves that reach a recipe which cannot be locked, by the recipes that each follows."""
    for step in steps:
        lost = [name for name, names in reached.items() if any(map(step.is_of, names))]
        if lost:
            yield StayedPin(step, _problems(result, lost))


def _problems(result: LockResult, names: Iterable[str]) -> tuple[Exception, ...]:
    return tuple(each_once(single_failures(result.failures[name] for name in names)))


def _itself(recipes: RecipeCollection, name: str) -> set[str]:
    del recipes
    return {name}


def _read_from(recipes: RecipeCollection, name: str) -> set[str]:
    with suppress(RvbuildError):  # that is what is wrong
        return {each.name for each in with_read(recipes, [recipes.load(name)])}
    return set()


def _needed(recipes: RecipeCollection, name: str) -> set[str]:
    parsed = RecipeName.parse(name)
    below = recipes.series.closure(parsed.base)
    return {str(RecipeName(each, parsed.series)) for each in below}
