"""Each pin of recipes, held against its upstream.

Knows: what an answer of an upstream means for a pin. Must not know: how upstreams are asked, what
is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from attrs import evolve, frozen

from rvbuild.core.candidate import Candidate, Choice, HeldBack, Hold, choose, known_values
from rvbuild.core.component import Component, compare_components
from rvbuild.core.errors import LockError, RvbuildError, SourceError
from rvbuild.core.go_mod_changes import UpstreamModule
from rvbuild.core.lock import PinValue
from rvbuild.core.lock_diff import PinOrigin, pin_origin
from rvbuild.core.names import PinRef, SetRef
from rvbuild.core.override import Override
from rvbuild.core.pin_status import PinState, PinStatus, Unasked
from rvbuild.core.pinned import described, named_source
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.question import set_ref
from rvbuild.core.recipe import DerivedPin, GoModulesSpec, Reading, Recipe
from rvbuild.core.renewal import Renewal
from rvbuild.core.side import Side
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.update_policy import Reach, UpdatePolicy
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.table import kind_of
from rvbuild.release.literal_pin import (
    LiteralPin,
    PinUse,
    chooser,
    is_literal,
    literal_pins,
    pin_policy,
)
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.upstreams import FAULTS, Upstreams


@frozen(kw_only=True)
class PinReview:
    """Looks at pins; any thread may.

    What a recipe has instead of a pin's value is a fact of `PinStatus` beside ``current``: the pin
    is held against its upstream all the same.

    Attributes:
        upstreams: Asked for what there is.
        values: What recipes and the lock have.
        policy: What holds for a pin of which nobody says anything else.
        now: The time, in Unix seconds.
        today: The day, as YYYY-MM-DD; empty: no override ends by it.
        offline: Whether only this machine is asked.
    """

    upstreams: Upstreams
    values: LockedValues
    policy: UpdatePolicy
    now: float
    today: str = ""
    offline: bool = False

    # ---- literal pins

    def literal(self, pin: LiteralPin) -> PinStatus:
        """A pin that stands in its recipe, and what its upstream has."""
        chief = pin.chief
        row = PinStatus(
            pin=pin.ref,
            name=pin.address,
            place=pin.place,
            current=pin.value,
            state=PinState.UNASKED,
            kind=chief.spec.answer.kind if chief else "",
            policy=pin_policy(pin, self.policy),
            unasked=Unasked.NO_LISTING,
        )
        row = self._overridden(row, pin.instead)
        if chief is None or chief.template is None:
            return row
        try:
            spec = self._described(pin, chief)
            answer = self.upstreams.ask(spec, self._context(pin, chief))
            row = evolve(row, unasked=None, upstream=self.upstreams.name(spec))
            if isinstance(answer, RvbuildError):
                return self._unanswered(row, answer)
            if isinstance(answer, Renewal):
                return self._renewed(row, pin, chief, answer)
            if pin.is_commit:
                return self._commit(row, pin, answer)
            return self._version(row, pin, chief, answer)
        except FAULTS as error:
            return self._unanswered(row, error)

    def _overridden(self, row: PinStatus, instead: Override | None) -> PinStatus:
        ended_by = instead.end(row.current, self.today) if instead else None
        return evolve(row, instead=instead, ended_by=ended_by)

    def _described(self, pin: LiteralPin, use: PinUse) -> SourceSpec:
        return described(pin.recipe, use.source, self.values, self.values.build_arch)

    def _context(self, pin: LiteralPin, use: PinUse) -> ResolveContext:
        entry = None
        with suppress(LockError):
            entry = self.values.entry(pin.recipe, use.source)
        return ResolveContext(
            build_arch=self.values.build_arch,
            folder=pin.recipe.folder,
            where=pin.place,
            read=_nothing,
            earlier=entry,
        )

    def _unanswered(self, row: PinStatus, error: RvbuildError) -> PinStatus:
        if self.offline and isinstance(error, SourceError):  # it would be the same for each
            return evolve(row, state=PinState.UNASKED, unasked=Unasked.OFFLINE)
        why = Unasked.NOT_LOCKED if isinstance(error, LockError) else Unasked.UNREACHABLE
        return evolve(row, state=PinState.UNASKED, unasked=why, problem=error)

    def _version(
        self, row: PinStatus, pin: LiteralPin, chief: PinUse, listing: VersionListing
    ) -> PinStatus:
        """A value that has an order: the version of a module, a tag."""
        others = []
        for use in pin.uses:
            if use.template and use is not chief:
                answer = self.upstreams.ask(self._described(pin, use), self._context(pin, use))
                if isinstance(answer, RvbuildError):
                    return self._unanswered(row, answer)
                if isinstance(answer, VersionListing):
                    others.append(known_values(answer, use.template))
        choice = choose(
            pin.value,
            listing,
            pin_policy(pin, self.policy),
            self.now,
            template=chief.template,
            others=others,
        )
        if choice is None:
            return evolve(row, unasked=Unasked.NO_ORDER)
        return evolve(row, choice=choice, state=_state(choice))

    def _commit(self, row: PinStatus, pin: LiteralPin, listing: VersionListing) -> PinStatus:
        """A bare commit: by the name of its release, or of a tag, and behind a branch."""
        behind, label = listing.behind(pin.value), _label(pin, listing)
        choice = choose(label, listing, pin_policy(pin, self.policy), self.now) if label else None
        row = evolve(row, label=label, behind=behind, choice=choice or Choice())
        if choice is None and behind is None:
            return evolve(row, unasked=Unasked.NO_ORDER)
        state = _state(row.choice)
        if state is PinState.CURRENT and behind and behind.count:
            state = PinState.HELD
        return evolve(row, state=state)

    def _renewed(
        self, row: PinStatus, pin: LiteralPin, chief: PinUse, renewal: Renewal
    ) -> PinStatus:
        """Packages of a suite: those of the lock, and those of the newest index."""
        entry = self.values.entry(pin.recipe, chief.source)
        old, new = (map(_component, parts) for parts in (entry.parts, renewal.parts))
        packages = compare_components(old, new)
        candidate = Candidate(version=renewal.name)
        choice = Choice(allowed=candidate) if packages else Choice()
        if packages and pin_policy(pin, self.policy).reach is Reach.NONE:
            choice = Choice(held=HeldBack(candidate=candidate, hold=Hold.POLICY))
        return evolve(
            row,
            current=str(entry.snapshot or ""),
            packages=packages,
            choice=choice,
            state=_state(choice),
        )

    # ---- derived pins

    def derived(self, recipes: Iterable[Recipe]) -> Iterator[PinStatus]:
        """Each pin of recipes that is read out of another source, and what decides it.

        So is the version of each Go module that another stands for: a pin by the module's path, of
        the first recipe that uses the set. A literal that chooses no source is among them if the
        recipe has another value instead: that may end.
        """
        told = set[tuple[SetRef, str]]()
        for recipe in recipes:
            choosing = {each.variable for each in literal_pins([recipe]) if each.instead}
            for name, pin in recipe.all_pins.items():
                if isinstance(pin, str):
                    continue
                if not is_literal(pin):
                    yield self._overridden(self._derived(recipe, name, pin), pin.instead)
                elif pin.instead and name not in choosing:
                    yield self._overridden(_lone(recipe, name, pin), pin.instead)
            spec = recipe.go_modules
            if spec is not None and spec.instead:
                yield from self._modules(recipe, spec, told)

    def _modules(
        self, recipe: Recipe, spec: GoModulesSpec, told: set[tuple[SetRef, str]]
    ) -> Iterator[PinStatus]:
        """Those of a set that are not among ``told``, which gets them."""
        rows = {path: _unlocked(recipe, path, each) for path, each in spec.instead.items()}
        try:
            ref = set_ref(self.values.recipes, recipe, spec)
        except FAULTS as error:  # which ends no day
            for path, row in rows.items():
                yield self._overridden(evolve(row, problem=error), spec.instead[path])
            return
        entry = self.values.lock.set_for(ref, spec_text(spec))
        upstream = {each.module: each for each in entry.upstream} if entry else {}
        owner = self.values.recipes.recipe(ref.source.recipe)
        for path, row in rows.items():
            if (ref, path) in told:
                continue
            told.add((ref, path))
            known = self._module(row, upstream[path], owner) if path in upstream else row
            yield self._overridden(known, spec.instead[path])

    def _module(self, row: PinStatus, upstream: UpstreamModule, owner: Recipe) -> PinStatus:
        place = PinValue(
            value="", spec="", source=owner.name, file=upstream.file, line=upstream.line
        )
        side = Side(name="", lock=self.values.lock, recipes={owner.name: owner})
        return evolve(row, current=upstream.version, origin=pin_origin(side, place), unasked=None)

    def _derived(self, recipe: Recipe, name: str, pin: DerivedPin) -> PinStatus:
        row = PinStatus(
            pin=PinRef(recipe.name, name), place=pin.where, current="", state=PinState.DERIVED
        )
        try:
            value = self._upstream_value(recipe, name)
            reading = self._reading(recipe, name, pin)
            if reading is None:
                return evolve(row, current=value)
            owner, source = named_source(self.values.recipes, recipe, reading.source, pin.where)
        except FAULTS as error:
            return evolve(row, unasked=Unasked.NOT_LOCKED, problem=error)
        return evolve(
            row,
            current=value,
            origin=self._origin(owner, recipe, name),
            decided_by=chooser(owner, source),
        )

    def _upstream_value(self, recipe: Recipe, name: str) -> str:
        """What the lock has of upstream, whether or not it has another value instead."""
        entry = self.values.lock.pins.get(PinRef(recipe.name, name))
        return entry.upstream if entry and entry.instead else self.values.pin(recipe, name)

    def _reading(self, recipe: Recipe, name: str, pin: DerivedPin) -> Reading | None:
        """The rung that the lock has the value from; the first that reads, if it does not say.

        None: all rungs are literals.
        """
        entry = self.values.lock.pins.get(PinRef(recipe.name, name))
        rungs = [rung for rung in pin.rungs if rung.reader != "literal"]
        fitting = (rung for rung in rungs if entry and rung.file == entry.file)
        return next(fitting, rungs[0] if rungs else None)

    def _origin(self, owner: Recipe, recipe: Recipe, name: str) -> PinOrigin | None:
        side = Side(name="", lock=self.values.lock, recipes={owner.name: owner})
        entry = self.values.lock.pins.get(PinRef(recipe.name, name))
        return pin_origin(side, entry or PinValue(value="", spec="", source=owner.name))


def _lone(recipe: Recipe, name: str, pin: DerivedPin) -> PinStatus:
    """A literal that chooses no source."""
    return PinStatus(
        pin=PinRef(recipe.name, name),
        place=pin.where,
        current=pin.rungs[0].argument,
        state=PinState.UNASKED,
        unasked=Unasked.NO_SOURCE,
    )


def _unlocked(recipe: Recipe, module: str, instead: Override) -> PinStatus:
    """A Go module that has another instead, of which the lock says nothing."""
    return PinStatus(
        pin=PinRef(recipe.name, module),
        place=instead.where,
        current="",
        state=PinState.DERIVED,
        unasked=Unasked.NOT_LOCKED,
    )


def _nothing(source: str, file: str) -> bytes:
    msg = f"nothing is read here: {source}, {file}"
    raise TypeError(msg)


def _component(part: Source) -> Component:
    return kind_of(part).component(part)


def _state(choice: Choice) -> PinState:
    if choice.allowed:
        return PinState.MOVABLE
    return PinState.HELD if choice.held else PinState.CURRENT


def _label(pin: LiteralPin, listing: VersionListing) -> str:
    """What upstream calls a commit: its release by the recipe's word, else a tag that names it."""
    if pin.recipe.in_series.release:
        return pin.recipe.in_series.release
    tags = (tag for tag, commit in listing.commits.items() if commit == pin.value)
    forms = [(form, tag) for tag in tags if (form := listing.form(tag))]
    forms.sort(key=lambda each: (not each[0].is_prerelease, each[0].family))
    return forms[-1][1] if forms else ""
