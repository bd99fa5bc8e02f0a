"""`update` without a version: each pin moves as far as its policy allows.

Knows: which pins are meant, and which of them keep others from moving. Must not know: what
upstream has, how a value is edited, how a change is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial

from attrs import define, evolve, field, frozen

from rvbuild.app.blamed_moves import blamed_moves
from rvbuild.app.lock import LockResult, lock
from rvbuild.app.lock_scope import named_recipes
from rvbuild.app.move_origins import MoveOrigins
from rvbuild.app.moved_overrides import MovedOverrides
from rvbuild.app.moved_source import MovedSource
from rvbuild.app.outdated import pin_review, review_pins
from rvbuild.app.pin_scope import own_recipes, with_read
from rvbuild.app.session import Session, with_recipes
from rvbuild.app.update_plan import (
    UpdatePlan,
    beside,
    edited_recipes,
    no_edits,
    own_root,
    refuse_asks,
    refuse_shipped,
    refuse_vain,
    show_own_lines,
)
from rvbuild.app.update_view import StayedPin, UpdateRequest, UpdateView
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import (
    LockError,
    RecipeError,
    RvbuildError,
    SourceError,
    UsageError,
    VerificationError,
    each_once,
)
from rvbuild.core.names import SourceRef
from rvbuild.core.pin_status import PinStatus, Unasked
from rvbuild.core.pin_step import PinStep, StepCause
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.release.destination import Destination
from rvbuild.release.literal_pin import (
    LiteralPin,
    chosen_sources,
    file_pins,
    is_version,
    literal_pins,
    tag_for,
)
from rvbuild.release.move import PinMove
from rvbuild.release.patch_verdict import PatchVerdict
from rvbuild.release.pin_name import pins_of
from rvbuild.release.pin_review import PinReview

_OF_ONE_PIN = (LockError, RecipeError, SourceError, UsageError, VerificationError)
"""What may go wrong with the edits of one pin, and says nothing of the others."""


def update_to_newest(session: Session, request: UpdateRequest, now: float) -> UpdateView:
    """What moving pins by their policies changes.

    - A name means what it means with a version, in every series, or in the one behind it.
    - ``@SERIES`` means each value of the project that is of the series.
    - Without a name, all of the project's pins are meant.

    A pin that asks for what nobody can derive stays, and so does one that would keep a recipe from
    being locked that can be now. That is among the view's failures; the others move.

    Args:
        session: The run, in a project.
        request: What is asked for.
        now: The time, in Unix seconds.

    Raises:
        UsageError: there is no recipe of a name, or it has nothing that moves.
        RvbuildError: a recipe that is named is broken, or the lock cannot be read.
    """
    return _NewestMoves(session, request, now).run()


@frozen
class _Movable:
    """A pin that may move, and what is allowed."""

    pin: LiteralPin
    status: PinStatus
    to: Destination

    @property
    def is_renewal(self) -> bool:
        """Whether the value stays, and what it stands for is another now."""
        return bool(self.status.packages)

    def step(self, move: PinMove | None = None) -> PinStep:
        """What is told of its move, with that of the edits."""
        return PinStep(
            pin=self.pin.ref,
            place=self.pin.place,
            old=self.status.current,
            new=self.to.value,
            old_series=self.pin.series,
            series=self.pin.series,
            cause=StepCause.RENEWAL if self.is_renewal else StepCause.POLICY,
            version=self.to.tag,
            policy=self.status.policy,
            left_out=tuple(move.left_out) if move else (),
            sources=chosen_sources(self.pin),
            facts=tuple(move.facts) if move else (),
        )


@define(slots=False)
class _NewestMoves:
    """The moves of one update.

    Attributes:
        session: The run.
        request: What is asked for.
        now: The time, in Unix seconds.
    """

    session: Session
    request: UpdateRequest
    now: float
    _failures: list[Exception] = field(factory=list, init=False)
    _broken: list[RvbuildError] = field(factory=list, init=False)
    _stayed: list[StayedPin] = field(factory=list, init=False)
    _shipped: int = field(default=0, init=False)

    def run(self) -> UpdateView:
        pins = self._pins()
        statuses = review_pins(self.session, self._look, pins)
        self._failures += filter(None, map(self._unanswered, pins, statuses))
        movable = [*_movable(pins, statuses)]
        plan, result = self._locked(movable, self._values(movable))
        view = UpdateView(
            stayed=tuple({stay.step.pin: stay for stay in self._stayed}.values()),
            held=tuple(status for status in statuses if status.choice.held),
            unasked=tuple(status for status in statuses if status.unasked),
            shipped=self._shipped,
            failures=tuple(each_once([*self._broken, *self._failures])),
            project=str(self.session.workspace.project),
        )
        if result is None:
            return view
        diff = plan.difference(result)
        view = evolve(view, unused=plan.unused_patches(), beside=beside(self.session, plan.steps))
        return evolve(
            view,
            steps=plan.steps,
            diff=diff,
            origins=MoveOrigins(plan.recipes, plan.steps).of(diff.refs),
            lock=result,
            files=plan.files(),
        )

    # ---- which pins

    def _pins(self) -> list[LiteralPin]:
        """Those that are meant, each once."""
        pins: list[LiteralPin] = []
        for name in self.request.names:
            pins += self._of_series(name) if name.startswith("@") else self._named(name)
        if not self.request.names:
            recipes = [*own_recipes(self.session, self._broken)]
            pins += file_pins(recipes)
            self._shipped = self._count_shipped(recipes)
        return [*{(pin.recipe.file, pin.key): pin for pin in pins}.values()]

    def _named(self, name: str) -> Iterator[LiteralPin]:
        """Those of a name, in one of its series if it has one behind it.

        Raises:
            UsageError: it came with rvbuild, or has no such series.
        """
        base, _, series = name.partition("@")
        series = series or self.request.series
        pins = pins_of(self.session.folder, base)
        refuse_shipped(self.session, pins)
        chosen = [pin for pin in pins if not series or pin.series == series]
        if not chosen:
            there = [pin.series for pin in pins if pin.series]
            msg = f"no value that {base} follows has a series {series!r}"
            raise UsageError(msg, where=name, hint=f"there are: {', '.join(there) or 'none'}")
        yield from chosen

    def _of_series(self, name: str) -> list[LiteralPin]:
        """Those of a series that stand in it, of the project's own recipes.

        Raises:
            UsageError: nothing has the series.
        """
        project = [*own_recipes(self.session, [])]
        recipes = [*named_recipes(self.session.folder, (name,), project)]
        self._shipped += self._count_shipped(recipes)
        return [pin for pin in literal_pins(recipes) if pin.series]

    def _count_shipped(self, recipes: Iterable[Recipe]) -> int:
        """How many pins are of recipes that came with rvbuild, and that recipes are read from."""
        root, count = own_root(self.session), 0
        with suppress(RvbuildError):  # who needs it says so
            read = with_read(self.session.folder, recipes)
            shipped = [each for each in read if root.folder(each.base) is None]
            count = len([*literal_pins(shipped)])
        return count

    def _unanswered(self, pin: LiteralPin, status: PinStatus) -> Exception | None:
        """What is wrong with a pin of which nobody knows what there is; None if nothing is.

        Who names a pin wants to have it moved. Else an address has no list, and offline nobody is
        asked: that is told, and nothing is wrong with it.
        """
        is_named = any(not name.startswith("@") for name in self.request.names)
        if status.unasked is Unasked.UNREACHABLE or (status.problem and is_named):
            return status.problem
        if status.unasked is None or not is_named:
            return None
        where, hint = str(status.pin), advise(Remedy.MOVE_TO.of(_name(pin)))
        if status.unasked is Unasked.OFFLINE:
            msg = "its upstream is not asked: this run is offline"
            return SourceError(msg, where=where, hint=hint)
        msg = "nobody has a list of the versions that there are"
        return UsageError(msg, where=where, hint=hint)

    # ---- edits

    def _values(self, movable: list[_Movable]) -> Mapping[str, str]:
        """What the person says, which is for one pin.

        Raises:
            UsageError: several move, or none does, and nothing else says why.
        """
        edited = [each for each in movable if not each.is_renewal]
        if self.request.values and not edited and not self._failures:
            msg = f"nothing moves that takes a value: {', '.join(sorted(self.request.values))}"
            raise UsageError(msg, hint=advise(Remedy.MOVE_TO))
        if self.request.values and len(movable) > 1:
            msg = "a value is said, and several pins move"
            names = ", ".join(each.pin.address for each in movable)
            raise UsageError(msg, hint=f"name the one that it is for: {names}")
        return self.request.values

    def _plan(self, movable: list[_Movable], values: Mapping[str, str]) -> UpdatePlan:
        """The edits; what cannot be edited gets into the failures."""
        edits, steps, renewed = no_edits(self.session), list[PinStep](), set[SourceRef]()
        for each in movable:
            if each.is_renewal:
                renewed.update(self._renewed(each.pin))
                steps.append(each.step())
                continue
            source = self._source(each.pin)
            move = PinMove(edits, values, partial(_judged, source, each.to.value))
            alone = sum(other.pin.recipe.base == each.pin.recipe.base for other in movable) == 1
            try:
                edits = self._edited(move, each, _name(each.pin) if alone else each.pin.address)
            except _OF_ONE_PIN as error:
                self._failures.append(error)
                self._stayed.append(StayedPin(each.step(), (error,)))
            else:
                steps.append(each.step(move))
        return UpdatePlan(
            session=self.session, steps=tuple(steps), edits=edits, renewed=frozenset(renewed)
        )

    @cached_property
    def _look(self) -> PinReview:
        return pin_review(self.session, self.now)

    def _source(self, pin: LiteralPin) -> MovedSource:
        return MovedSource(self.session, pin, self._look.values)

    def _edited(self, move: PinMove, movable: _Movable, name: str) -> RecipeEdits:
        """The edits with those of one pin, which is moved alone by a name.

        Raises:
            UsageError: something has to be said.
            RecipeError: the recipe cannot be edited.
            LockError: its source needs a value that is not locked.
        """
        others = self._source(movable.pin).others(movable.to.value)
        move.present(movable.pin, evolve(movable.to, others=others))
        MovedOverrides(self.session, movable.pin.series).decide(move)
        refuse_vain(move, str(movable.pin.ref))
        refuse_asks(move, str(movable.pin.ref), advise(Remedy.MOVE_ALONE.of(name)))
        edited_recipes(self.session, move.edits)
        return move.edits

    def _renewed(self, pin: LiteralPin) -> Iterator[SourceRef]:
        """The sources of a pin whose description stays: of its series, or of each."""
        every = self.session.folder.series.every(pin.recipe.base)
        recipes = [pin.recipe] if pin.series else every
        for recipe in recipes:
            for use in pin.uses:
                yield SourceRef(recipe.name, use.source)

    # ---- the lock

    def _locked(
        self, movable: list[_Movable], values: Mapping[str, str]
    ) -> tuple[UpdatePlan, LockResult | None]:
        """The moves that recipes can be locked with, and the lock; None if nothing moves."""
        plan = self._plan(movable, values)
        while plan.steps:
            result = self._lock(plan)
            self._failures += result.errors()
            blamed = self._blamed(plan, result)
            if not blamed:
                return plan, result
            self._stayed += blamed
            gone = [stay.step.pin for stay in blamed]
            moved = [step.pin for step in plan.steps if step.pin not in gone]
            movable = [each for each in movable if each.pin.ref in moved]
            plan = self._plan(movable, values)
        return plan, None

    def _lock(self, plan: UpdatePlan, *, before: bool = False) -> LockResult:
        """A lock after the edits, or before; what cannot be locked stays as it was."""
        names = {f"@{step.series}" if step.series else step.recipe for step in plan.steps}
        result = lock(
            self.session if before else with_recipes(self.session, plan.recipes),
            tuple(sorted(names)) if self.request.names else (),
            every_failure=True,
            renewed=() if before else plan.renewed,
        )
        if not before:
            MovedOverrides(self.session).advise(plan.edits, result)
            show_own_lines(self.session, plan.edits, result.failures.values())
        return result

    def _blamed(self, plan: UpdatePlan, result: LockResult) -> list[StayedPin]:
        """The moves because of which a recipe cannot be locked any more."""
        if not result.failures:
            return []
        before = self._lock(plan, before=True).failures
        return blamed_moves(plan, result, [name for name in result.failures if name not in before])


def _name(pin: LiteralPin) -> str:
    """By what a person names it, if it is the only one there that moves."""
    return pin.recipe.base if is_version(pin) else pin.address


def _movable(pins: Iterable[LiteralPin], statuses: Iterable[PinStatus]) -> Iterator[_Movable]:
    """The pins that may move, and where to."""
    for pin, status in zip(pins, statuses, strict=True):
        allowed = status.choice.allowed
        if allowed is not None:
            tag = allowed.version if pin.is_commit else tag_for(pin, allowed.version)
            value = allowed.commit if pin.is_commit else allowed.version
            yield _Movable(pin, status, Destination(value=value, tag=tag, commit=allowed.commit))


def _judged(
    source: MovedSource, value: str, recipe: Recipe, patches: tuple[str, ...]
) -> PatchVerdict:
    del recipe  # it is that of the pin
    return source.patches(value, patches)
