"""The questions that a lock answers: what a pin, a source, or a set of Go modules is.

Knows: what each asks for, what its answer is read from, and which entry of a lock is an answer.
Must not know: who answers, how a lock is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic

from attrs import define, field, frozen

from rvbuild.core.agreement import (
    Contradiction,
    Rung,
    alternatives_contradiction,
    modules_contradiction,
    override_contradiction,
    pin_contradiction,
    set_contradiction,
    source_contradiction,
)
from rvbuild.core.errors import RecipeError
from rvbuild.core.go_command import go_reads
from rvbuild.core.lock import AnyEntry, GoModuleSet, LockedSource, PinValue, source_ref
from rvbuild.core.names import AnyRef, PinRef, SetRef, SourceRef
from rvbuild.core.patches import refuse_patched
from rvbuild.core.pinned import Pinned, Recipes, git_fact, named_source
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    Alternatives,
    DerivedPin,
    GoModulesSpec,
    Ladder,
    Reading,
    Recipe,
)
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Reads, Trace, moved

User = tuple[Recipe, GoModulesSpec]
"""A recipe, and what it asks of a set of Go modules that others may share with it."""


@frozen
class Refusal:
    """Why an entry is no answer.

    Attributes:
        reason: How the lock has the entry; reads on from "rvbuild.lock has runc/version …".
        details: Lines that show both sides.
        place: Where in the lock; None if the recipe is to be looked at.
    """

    reason: str
    details: tuple[str, ...]
    place: Place | None = None


@frozen(kw_only=True)
class Question(Generic[AnyRef, AnyEntry]):
    """What an entry of a lock answers.

    An entry is an answer if

    1. its description is the recipe's of today (a set of Go modules has one a user),
    2. its trace names the sources that the recipe's names mean today,
    3. no fact of it is one that the recipe rules out, and
    4. each source of its trace is today what it was then.

    Example: ``version: {from: k, shell: V, file: v.sh}`` was 1.2, read in ``k/k`` with the digest
    ``2b5c…``. Another ``file`` breaks rule 1; ``sources: {k: {from: j}}`` breaks rule 2; a lock
    that has it from another file breaks rule 3; another commit of ``k/k`` breaks rule 4.

    Attributes:
        ref: The entry's name in the lock.
        text: The recipe's description of what it asks for.
        reads: The sources that the answer is read from.
        where: The recipe's place.
        contradiction: Returns the first fact of an entry that the recipe rules out.
    """

    ref: AnyRef
    text: str
    reads: Reads
    where: Place | None
    contradiction: Callable[[AnyEntry], Contradiction | None]

    def refusal(self, entry: AnyEntry, today: Callable[[SourceRef], str | None]) -> Refusal | None:
        """Why ``entry`` is no answer; None if it is one.

        Args:
            entry: What a lock has.
            today: Returns the digest of a source's content.
        """
        if self.text not in entry.descriptions:
            details = (f"locked: {'; '.join(entry.descriptions)}", f"recipe: {self.text}")
            return Refusal("for another recipe than this one", details)
        other = self._other_sources(entry.trace) or self.contradiction(entry)
        if other is not None:
            return self._contradicted(other, entry)
        for asked in moved(entry.trace, today):
            reason = f"as it was read from another {asked} than there is now"
            return Refusal(reason, (f"recipe: {self.where}",), entry.where or self.where)
        return None

    def _other_sources(self, trace: Trace | None) -> Contradiction | None:
        if self.reads.fit(trace):
            return None
        locked = ", ".join(str(asked) for asked, _ in trace or ()) or "nothing"
        wanted = ", ".join(map(str, sorted(self.reads.always))) or "nothing"
        return Contradiction(fact="source", locked=locked, wanted=wanted)

    def _contradicted(self, other: Contradiction, entry: AnyEntry) -> Refusal:
        place = entry.place(other.part, other.fact)
        details = (f"locked: {other.locked}", f"recipe: {other.wanted}  {self.where}")
        reason = f"with another {other.fact} than the recipe asks for"
        return Refusal(reason, details, place or self.where)


def pin_question(
    recipes: Recipes, pinned: Pinned, recipe: Recipe, name: str, pin: DerivedPin
) -> Question[PinRef, PinValue]:
    """What the value of ``pin`` is, read from the source of each rung."""
    names = [(rung.source, rung.where) for rung in pin.rungs if rung.reader != "literal"]
    for rung in pin.rungs:
        if rung.file:
            refuse_patched(recipes, recipe, [(rung.source, rung.file)], rung.where)
    return Question(
        ref=PinRef(recipe.name, name),
        text=spec_text(pin),
        reads=Reads(_names(recipes, recipe, names)),
        where=pin.where,
        contradiction=partial(_pin_contradiction, recipes, pinned, recipe, pin),
    )


def _pin_contradiction(
    recipes: Recipes, pinned: Pinned, recipe: Recipe, pin: DerivedPin, answer: PinValue
) -> Contradiction | None:
    def rung(reading: Reading) -> Rung:
        if reading.reader == "literal":
            return Rung(reading=reading, owner=recipe.name, value=reading.argument)
        owner, name = named_source(recipes, recipe, reading.source, reading.where)
        fact = None
        if reading.reader == "git":
            fact = git_fact(pinned.source(owner, name)[0], reading)
        return Rung(reading=reading, owner=owner.name, value=fact)

    place = (answer.source, answer.file, answer.line)
    rungs = [*map(rung, pin.rungs)]
    value = answer.upstream if pin.instead else answer.value
    other = override_contradiction(answer.value, answer.upstream, pin.instead)
    if isinstance(pin, Alternatives):
        return other or alternatives_contradiction(value, place, rungs)
    prefer = pin.prefer if isinstance(pin, Ladder) else None
    return other or pin_contradiction(value, place, rungs, prefer)


def source_question(
    recipes: Recipes, recipe: Recipe, name: str, spec: SourceSpec, build_arch: str
) -> Question[SourceRef, LockedSource]:
    """What a source is; ``spec`` is its description with every ``${…}`` replaced.

    It is read from the sources that its kind says, and from commits that the recipe's pins tell
    of: a fact of a commit in ``${…}``.
    """
    where = recipe.sources[name].where
    ref = source_ref(recipe.name, name, spec, build_arch)
    pins = (pin for pin in recipe.all_pins.values() if isinstance(pin, Reading))
    commits = ((pin.source, pin.where) for pin in pins if pin.reader == "git")
    refuse_patched(recipes, recipe, spec.reads, where)
    always = _names(recipes, recipe, ((each, where) for each, _ in spec.reads))
    return Question(
        ref=ref,
        text=spec_text(spec),
        reads=Reads(always, maybe=_names(recipes, recipe, commits)),
        where=where,
        contradiction=lambda entry: source_contradiction(spec, entry.parts, ref.machine),
    )


def set_ref(recipes: Recipes, recipe: Recipe, spec: GoModulesSpec) -> SetRef:
    """The lock's name of the set of Go modules that ``recipe`` asks for."""
    owner, name = named_source(recipes, recipe, spec.source, spec.where)
    return SetRef(SourceRef(owner.name, name), spec.scope)


def set_question(
    recipes: Recipes,
    users: Sequence[User],
    *,
    listed: bool,
    others: frozenset[SourceRef] = frozenset(),
) -> Question[SetRef, GoModuleSet]:
    """What the set of Go modules is that recipes need of one module.

    Args:
        recipes: Reads recipes by name.
        users: Recipes that use the set, each with what it asks for; the first one asks.
        listed: Whether ``go list`` says which modules of the go.sum the set has. Its answer
            follows from the sources of each user's go command, too.
        others: What the answer may be read from, because of users that are not known here.
    """
    recipe, spec = users[0]
    _refuse_unlike(users)
    for user, asked in users:
        files = [(asked.source, file) for file in asked.files]
        refuse_patched(recipes, user, files, asked.where)
    ref = set_ref(recipes, recipe, spec)
    reads = frozenset({ref.source})
    if listed:
        reads = reads.union(*(go_reads(recipes, user, asked.where) for user, asked in users))
    return Question(
        ref=ref,
        text=spec_text(spec),
        reads=Reads(reads, maybe=others),
        where=spec.where,
        contradiction=partial(_set_contradiction, spec),
    )


def _set_contradiction(spec: GoModulesSpec, answer: GoModuleSet) -> Contradiction | None:
    return set_contradiction(answer.modules, answer.go_sum) or modules_contradiction(
        spec.instead, answer.changes, answer.upstream
    )


def _refuse_unlike(users: Sequence[User]) -> None:
    """See that all users of a set have the same modules instead of upstream's: it has one go.mod.

    Raises:
        RecipeError: one has others.
    """
    first, spec = users[0]
    for user, asked in users:
        if asked.instead != spec.instead:
            msg = f"{first.name} and {user.name} use one set of Go modules, with other `instead`"
            hint = "say the same in both, or in the series of the source that they are of"
            raise RecipeError(msg, where=asked.where, hint=hint, details=(f"also at {spec.where}",))


def _names(
    recipes: Recipes, recipe: Recipe, names: Iterable[tuple[str, Place | None]]
) -> frozenset[SourceRef]:
    owners = (named_source(recipes, recipe, name, where) for name, where in names)
    return frozenset(SourceRef(owner.name, name) for owner, name in owners)


@define
class OpenQuestions:
    """The questions whose answers are looked for: one that needs itself has none."""

    _keys: list[str] = field(factory=list, init=False)

    @contextmanager
    def asking(self, key: str, where: Place | None) -> Iterator[None]:
        """While the answer to ``key`` is looked for.

        Raises:
            RecipeError: that is going on already.
        """
        if key in self._keys:
            circle = " → ".join([*self._keys[self._keys.index(key) :], key])
            msg = f"pins need each other in a circle: {circle}"
            raise RecipeError(msg, where=where)
        self._keys.append(key)
        try:
            yield
        finally:
            self._keys.pop()
