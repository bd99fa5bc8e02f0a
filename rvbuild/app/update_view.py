"""What an update is asked for, and what it changes.

Knows: which files are written, and that all are or none. Must not know: how a change is found out.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from rvbuild.app.lock import LockResult
from rvbuild.app.project_files import put_project
from rvbuild.app.workspace import LOCK
from rvbuild.core.component import Component
from rvbuild.core.errors import raise_failures
from rvbuild.core.lock import Lock
from rvbuild.core.lock_diff import LockDiff, compare_locks
from rvbuild.core.names import RecipeName
from rvbuild.core.pin_status import PinStatus
from rvbuild.core.pin_step import PinStep, StepCause
from rvbuild.core.side import Side
from rvbuild.core.source import Source
from rvbuild.files.journal import NewContent
from rvbuild.kinds.table import kind_of
from rvbuild.recipes_yaml.lock import write_lock

FileChange = tuple["bytes | None", bytes]
"""The bytes of a file before and after; None: it was not there."""

_NO_DIFFERENCE = LockDiff(pins=(), sources=(), sets=(), overall=())


@frozen(kw_only=True)
class UpdateRequest:
    """What a person asks for.

    Attributes:
        names: Recipes, or ``RECIPE/SOURCE``, a series may stand behind each; or ``@SERIES``. None:
            all of the project.
        to: The tag, commit or version; empty: the newest that is allowed.
        series: The series that moves, or that is to be there; empty where there is none.
        former: The series that a new one comes from; empty: the default, or the only one.
        values: What nobody can derive, by name.
        drop: Whether the series is to go.
    """

    names: tuple[str, ...] = ()
    to: str = ""
    series: str = ""
    former: str = ""
    values: Mapping[str, str] = field(factory=dict)
    drop: bool = False


@frozen
class StayedPin:
    """A pin that was to move, and stays.

    Attributes:
        step: The move that was tried.
        problems: Why it cannot be.
    """

    step: PinStep
    problems: tuple[Exception, ...]


@frozen(kw_only=True)
class UpdateView:
    """What an update changes; nothing is written yet.

    Attributes:
        steps: The pins that move.
        stayed: Those that were to move, and cannot.
        held: Those of which upstream has a higher version that is not taken, and why.
        unasked: Those of which nobody knows what there is.
        shipped: How many pins stay because they are of recipes that came with rvbuild.
        diff: What differs of pins, sources and sets; without the name of a series that is new.
        origins: The number of the step that a recipe of the difference follows, by its name there.
        said: Recipes without a step whose new values a person says, without their series.
        lock: The lock; None if nothing moves.
        files: Changed recipe files, by their paths in the project.
        unused: Files that were patches of a recipe's sources and are none any more, as the files.
        failures: What went wrong, with those that stay, too; each once.
        project: Its folder.
    """

    steps: tuple[PinStep, ...] = ()
    stayed: tuple[StayedPin, ...] = ()
    held: tuple[PinStatus, ...] = ()
    unasked: tuple[PinStatus, ...] = ()
    shipped: int = 0
    diff: LockDiff = _NO_DIFFERENCE
    origins: Mapping[str, int] = field(factory=dict)
    said: frozenset[str] = frozenset()
    lock: LockResult | None = None
    files: Mapping[str, FileChange] = field(factory=dict)
    unused: tuple[str, ...] = ()
    failures: tuple[Exception, ...] = ()
    project: str

    @property
    def is_change(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._changes())

    @property
    def is_lock_changed(self) -> bool:
        """Whether the lock is to be written."""
        return self.lock is not None and write_lock(self.lock.new).encode() != self.lock.data

    def own_step(self, recipe: str) -> PinStep | None:
        """The step of which a recipe of the difference has the value itself."""
        at = self.origins.get(recipe)
        if at is None or RecipeName.parse(recipe).base != self.steps[at].recipe:
            return None
        return self.steps[at]

    def cause(self, recipe: str) -> StepCause | None:
        """Why a source of a recipe of the difference changes; None: it follows others."""
        step = self.own_step(recipe)
        if step is None and RecipeName.parse(recipe).base in self.said:
            return StepCause.ASKED
        return step.cause if step else None

    def write(self) -> None:
        """Write recipes and lock, together or not at all.

        Raises:
            StoreError: they could not be written, or somebody else changed one meanwhile.
        """
        changes = self._changes()
        if changes:
            put_project(self.project, changes)

    def _changes(self) -> list[NewContent]:
        changes = [NewContent(path, old, new) for path, (old, new) in self.files.items()]
        if self.lock is not None and self.is_lock_changed:
            text = write_lock(self.lock.new).encode()
            changes.append(NewContent(LOCK, self.lock.data, text))
        return changes

    def refuse_failures(self) -> None:
        """See that every pin moved that was to.

        Raises:
            RvbuildError: one could not.
            RunFailed: several could not.
        """
        raise_failures(self.failures, self, kept=self.is_change)


def difference(old: Side, new: Side, series: tuple[str, str]) -> LockDiff:
    """What differs between two sides: all of it, or a series of one and a series of the other."""
    return compare_locks(_of_series(old, series[0]), _of_series(new, series[1]), _describe)


def _of_series(side: Side, series: str) -> Side:
    """What of a side is of a series; all of it, without one."""
    if not series:
        return side

    def is_of(recipe: str) -> bool:
        return RecipeName.parse(recipe).series == series

    lock = Lock(
        pins={ref: pin for ref, pin in side.lock.pins.items() if is_of(ref.recipe)},
        sources={ref: each for ref, each in side.lock.sources.items() if is_of(ref.recipe)},
        go_modules={
            ref: each for ref, each in side.lock.go_modules.items() if is_of(ref.source.recipe)
        },
    )
    recipes = {name: each for name, each in (side.recipes or {}).items() if is_of(name)}
    return evolve(side, lock=lock, recipes=recipes, series=series)


def _describe(source: Source) -> Component:
    return kind_of(source).component(source)
