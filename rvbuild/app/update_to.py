"""`update NAME --to REF`: one value that a person moves, in a series, beside one, or out of one.

Knows: what a person's words for a move mean. Must not know: how a value is edited, how a change
is told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext, suppress
from functools import cached_property

from attrs import define, evolve, field

from rvbuild.app.lock import LockResult, lock
from rvbuild.app.moved_overrides import MovedOverrides
from rvbuild.app.moved_source import MovedSource
from rvbuild.app.pin_scope import locked_values
from rvbuild.app.session import Session, with_recipes
from rvbuild.app.update_plan import (
    UpdatePlan,
    beside,
    no_edits,
    own_root,
    refuse_asks,
    refuse_shipped,
    refuse_vain,
    show_own_lines,
)
from rvbuild.app.update_view import UpdateRequest, UpdateView
from rvbuild.app.version_word import VersionWord
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import RvbuildError, UsageError, suggestion
from rvbuild.core.pin_step import PinStep
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.recipe_root import SERIES_FILE
from rvbuild.release.destination import Destination
from rvbuild.release.family import family_lacking, family_with
from rvbuild.release.literal_pin import (
    LiteralPin,
    chosen_sources,
    literal_pins,
)
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.move import PinMove
from rvbuild.release.patch_verdict import PatchUse, PatchVerdict
from rvbuild.release.pin_name import pin_of


def update_to(session: Session, name: str, request: UpdateRequest) -> UpdateView:
    """What moving one value changes.

    Args:
        session: The run, in a project.
        name: The one that is named.
        request: What else is asked for.

    Raises:
        UsageError: nothing of that name moves, or something is asked for that nobody can derive:
            then each is in the details, with its place.
        RvbuildError: the recipes that follow cannot be read or locked.
    """
    base, _, series = name.partition("@")
    pins = pin_of(session.folder, base)
    refuse_shipped(session, pins)
    return _Move(session, name, evolve(request, series=series or request.series), pins).run()


@define(slots=False)
class _Move:
    """One move.

    Attributes:
        session: The run.
        name: What the person calls it.
        request: What is asked for, with the series that it means.
        pins: The value as it is, once for each series that has its own.
    """

    session: Session
    name: str
    request: UpdateRequest
    pins: Sequence[LiteralPin]
    created: dict[str, bytes] = field(factory=dict, init=False)
    _sources: dict[str, tuple[MovedSource, str]] = field(factory=dict, init=False)

    def run(self) -> UpdateView:
        request = self.request
        if request.drop:
            move, step = self._dropped()
            return self._view(self._plan(move, step), self._lock(move, step), step)
        pin = self._pin()
        to = self._destination(pin, request.to)
        move = self._moved(pin, to)
        former, series = pin.series or request.former, request.series or pin.series
        step = PinStep(
            pin=pin.ref,
            place=pin.place,
            old=pin.value,
            new=to.value,
            old_series=former,
            series=series,
            version=to.tag,
            left_out=tuple(move.left_out),
            sources=chosen_sources(pin),
        )
        result = self._asked(move, step)
        step = evolve(step, facts=tuple(move.facts))
        return self._view(self._plan(move, step), result, step)

    def _plan(self, move: PinMove, step: PinStep) -> UpdatePlan:
        return UpdatePlan(
            session=self.session, steps=(step,), edits=move.edits, created=self.created
        )

    def _asked(self, move: PinMove, step: PinStep) -> LockResult:
        """The lock of a move that asks for nothing.

        Where an override may end with it, what would be locked is looked at first: that is asked
        for together with all else.

        Raises:
            UsageError: it asks for something.
        """
        overrides = MovedOverrides(self.session, step.series, self.created)
        result = None
        with suppress(RvbuildError) if move.asks else nullcontext():
            overrides.decide(move)
            refuse_vain(move, self.name)
            must_look = not move.asks or overrides.are_after(move.edits)
            result = self._lock(move, step) if must_look else None
        if result is not None:
            overrides.ask(move, result)
        refuse_vain(move, self.name)
        refuse_asks(move, self.name)
        return result or self._lock(move, step)

    def _lock(self, move: PinMove, step: PinStep) -> LockResult:
        session = with_recipes(self.session, self._plan(move, step).recipes)
        return lock(session, self._to_lock(step), every_failure=True)

    def _view(self, plan: UpdatePlan, result: LockResult, step: PinStep) -> UpdateView:
        """What changes with a lock, which has all of it or is none."""
        show_own_lines(self.session, plan.edits, result.failures.values())
        result.refuse_failures()
        former = step.old_series if self._is_in_series else ""
        pair = (former, step.series) if step.new else ("", "")
        diff = plan.difference(result, pair)
        return UpdateView(
            steps=plan.steps,
            diff=diff,
            origins=dict.fromkeys(diff.refs, 0),
            said=frozenset(name for name, (_, value) in self._sources.items() if value),
            lock=result,
            files=plan.files(),
            beside=beside(self.session, plan.steps),
            unused=plan.unused_patches(),
            project=str(self.session.workspace.project),
        )

    def _to_lock(self, step: PinStep) -> tuple[str, ...]:
        """The recipes to lock: all of a series, or the one that moves, and what follows it."""
        if not step.new or not step.series:
            return (step.recipe,)
        is_first = step.old_series and not self._is_in_series
        first = (f"@{step.old_series}",) if is_first else ()
        return (*first, f"@{step.series}")

    # ---- which series

    @property
    def _is_in_series(self) -> bool:
        """Whether each series has its own value."""
        return bool(self.pins[0].series)

    def _pin(self) -> LiteralPin:
        """The value that moves, or that of the series that a new one comes from.

        Raises:
            UsageError: there is no series of that name, or nobody says which.
        """
        recipe, request = self.pins[0].recipe.base, self.request
        there = {pin.series: pin for pin in self.pins if pin.series}
        if not there:
            return self.pins[0]
        wanted = request.former if request.series not in there else request.series
        if request.former and request.series in there:
            msg = f"{recipe} has the series {request.series} already"
            raise UsageError(msg, where=recipe, hint="it moves without one that it comes from")
        chosen = wanted or self._default([*there])
        if chosen in there:
            return there[chosen]
        if chosen:
            msg = f"{recipe} has no series {chosen!r}"
            near = suggestion(chosen, there) or f"it has {', '.join(there)}"
            raise UsageError(msg, where=recipe, hint=near)
        msg = f"{recipe} has several series, and none is the default: {', '.join(there)}"
        raise UsageError(msg, where=recipe, hint="name the one")

    def _default(self, there: Sequence[str]) -> str:
        if len(there) == 1:
            return there[0]
        return next((each for each in self.session.folder.default_series() if each in there), "")

    # ---- where to

    def _destination(self, pin: LiteralPin, to: str) -> Destination:
        """What the person's word for a version means.

        Raises:
            UsageError: nothing, or there is no word.
            SourceError: upstream has no such revision.
            WrongContent: upstream moved the tag of a value that stays.
        """
        if not to:
            msg = f"to which version is {pin.recipe.base} to move?"
            raise UsageError(msg, where=self.name, hint=advise(Remedy.MOVE_TO))
        may_stay = self.request.series in {"", pin.series}
        return VersionWord(source=self._source(pin), word=to, may_stay=may_stay).destination()

    def _source(self, pin: LiteralPin) -> MovedSource:
        return MovedSource(self.session, pin, self._locked_values)

    @cached_property
    def _locked_values(self) -> LockedValues:
        return locked_values(self.session)

    # ---- edits

    def _moved(self, pin: LiteralPin, to: Destination) -> PinMove:
        series = self.request.series
        self._sources[pin.recipe.base] = self._source(pin), to.value
        move = PinMove(no_edits(self.session), self.request.values, self._judged)
        if series in {"", pin.series}:
            move.present(pin, to)
        elif not pin.series:
            former = self.request.former
            move.first_series(pin, series, former, to)
            self._default_series(former or series)
        else:
            move.new_series(pin, series, to)
            self._family(move, pin, series)
        return move

    def _judged(self, recipe: Recipe, patches: tuple[str, ...]) -> PatchVerdict:
        """What becomes of patches at the source that their recipe moves to."""
        if recipe.base not in self._sources:
            untried = "nobody knows the source that it is for"
            uses = (PatchUse(recipe.base, recipe.lent_source, file) for file in patches)
            return PatchVerdict(problems=dict.fromkeys(uses, untried))
        source, value = self._sources[recipe.base]
        return source.patches(value, patches) if value else PatchVerdict()

    def _default_series(self, series: str) -> None:
        """Let names alone mean what they meant, if nothing says yet what they mean."""
        if own_root(self.session).series() is None:
            self.created[SERIES_FILE] = f'default: ["{series}"]\n'.encode()

    def _family(self, move: PinMove, pin: LiteralPin, series: str) -> None:
        """Ask for the series in other recipes that the same recipes need."""
        own = own_root(self.session).names()
        for recipe in family_lacking(self.session.folder, pin.recipe.base, pin.series, series):
            if recipe.name not in own:
                continue
            former, to = self._value_of_series(recipe, pin.series), Destination(value="")
            if former:  # without a value, that is asked for first
                said = self.request.values.get(f"{recipe.name}.{former.variable}")
                to = self._destination(former, said) if said else to
                self._sources[recipe.name] = self._source(former), to.value
            move.other_series(recipe, series, pin.series, former, to)

    def _value_of_series(self, recipe: Recipe, series: str) -> LiteralPin | None:
        """The value of a recipe that stands in a series and chooses its source."""
        loaded = self.session.folder.load(recipe.base, None, series)
        return next((each for each in literal_pins([loaded]) if each.series), None)

    def _dropped(self) -> tuple[PinMove, PinStep]:
        """The edits that take a series away.

        Raises:
            UsageError: there is no such series, or something else is asked for, too.
        """
        request, recipe = self.request, self.pins[0].recipe
        pin = next((each for each in self.pins if each.series == request.series != ""), None)
        if pin is None or request.to or request.values:
            msg = "a series that is to go is named, and nothing else is"
            there = f"{recipe.base} has {', '.join(recipe.per_series) or 'no series'}"
            raise UsageError(msg, where=request.series or recipe.base, hint=there)
        own = own_root(self.session).names()
        family = family_with(self.session.folder, recipe.base, request.series)
        dropped = [each for each in family if each.name in own]
        move = PinMove(no_edits(self.session), {}, lambda *_: PatchVerdict())
        move.without_series(dropped, request.series)
        self._refuse_default({each.name for each in dropped})
        return move, PinStep(
            pin=pin.ref,
            place=pin.place,
            old=pin.value,
            new="",
            old_series=pin.series,
            series=pin.series,
        )

    def _refuse_default(self, dropped: Collection[str]) -> None:
        """See that a default series does not go with the last recipes that have it.

        Raises:
            UsageError: it would.
        """
        recipes, series = self.session.folder.series, self.request.series
        others = [recipes.readable(name) for name in recipes.names() if name not in dropped]
        is_left = any(each is None or series in each.per_series for each in others)
        if not is_left and series in self.session.folder.default_series():
            msg = f"{series} is the default"
            hint = f"name another in recipes/{SERIES_FILE} first"
            raise UsageError(msg, where=self.name, hint=hint)
