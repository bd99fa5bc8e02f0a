"""What recipes are pinned to: read from a lock here, found out by `rvbuild lock` elsewhere.

Knows: which source a name means, and how a recipe's texts get their pinned values.
Must not know: how pins are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from attrs import define, field, frozen

from rvbuild.core.agreement import Contradiction, Rung, pin_contradiction
from rvbuild.core.errors import RecipeError
from rvbuild.core.lock import (
    GoModuleSet,
    Lock,
    LockedSource,
    PinValue,
    modules_key,
    source_key,
)
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    FromSpec,
    GoModulesSpec,
    Ladder,
    Reading,
    Recipe,
    substitute_spec,
)
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Reads, content_digest, moved, question


class Pinned(Protocol):
    """Answers what a pin, a source, or a set of Go modules is."""

    def pin(self, recipe: Recipe, name: str) -> str: ...

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of ``recipe``'s own sources."""
        ...

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet: ...


class Recipes(Protocol):
    """Reads a recipe by name; ``asked_at`` is the place that names it."""

    def recipe(self, name: str, asked_at: Place | None = None) -> Recipe: ...


@frozen
class Values(Mapping[str, str]):
    """What ``${…}`` may name in a recipe, each pin looked up only when it is named."""

    recipe: Recipe
    pinned: Pinned
    fixed: Mapping[str, str] = field(factory=dict)

    def __getitem__(self, name: str) -> str:
        if name in self.fixed:
            return self.fixed[name]
        if name in self.recipe.all_pins:
            return self.pinned.pin(self.recipe, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self.fixed
        yield from self.recipe.all_pins

    def __len__(self) -> int:
        return len(self.fixed) + len(self.recipe.all_pins)


def named_source(
    recipes: Recipes, recipe: Recipe, name: str, where: Place | None
) -> tuple[Recipe, str]:
    """The recipe and the name of the source that ``recipe`` calls ``name``.

    Raises:
        RecipeError: it is neither one of its own sources nor a ``kind: source`` recipe.
    """
    if name in recipe.sources:
        spec = recipe.sources[name].spec
        if not isinstance(spec, FromSpec):
            return recipe, name
        name = spec.recipe
    owner = recipes.recipe(name, where)
    if owner.kind != "source":
        msg = f"{name!r} is neither a source of this recipe nor a 'kind: source' recipe"
        raise RecipeError(msg, where=where)
    return owner, next(iter(owner.sources))


def described(recipe: Recipe, name: str, pinned: Pinned, build_arch: str) -> SourceSpec:
    """A source's description with every ``${…}`` replaced."""
    use = recipe.sources[name]
    fixed = {"name": recipe.name, "build_arch": build_arch}
    return substitute_spec(use.spec, Values(recipe, pinned, fixed), use.where)


def git_fact(source: Source, reading: Reading) -> str:
    """A fact about a commit, as the pin adjusts it: ``commit``, ``short``, ``date``, ``iso-date``.

    Raises:
        RecipeError: the source is not a git tree.
    """
    facts = source.commit_facts
    if not facts:
        msg = f"{reading.source!r} is not a git source"
        raise RecipeError(msg, where=reading.where)
    return reading.adjusted(facts[reading.argument])


def pin_misfit(
    recipes: Recipes, pinned: Pinned, recipe: Recipe, pin: Reading | Ladder, answer: PinValue
) -> Contradiction | None:
    """What of a lock's answer ``pin`` of ``recipe`` rules out, if anything."""

    def rung(reading: Reading) -> Rung:
        if reading.reader == "literal":
            return Rung(reading=reading, owner=recipe.name, value=reading.argument)
        owner, name = named_source(recipes, recipe, reading.source, reading.where)
        fact = None
        if reading.reader == "git":
            fact = git_fact(pinned.source(owner, name)[0], reading)
        return Rung(reading=reading, owner=owner.name, value=fact)

    place = (answer.source, answer.file, answer.line)
    prefer = pin.prefer if isinstance(pin, Ladder) else None
    rungs = pin.rungs if isinstance(pin, Ladder) else (pin,)
    return pin_contradiction(answer.value, place, [*map(rung, rungs)], prefer)


def _questions(
    recipes: Recipes, recipe: Recipe, names: Iterable[tuple[str, Place | None]]
) -> frozenset[str]:
    owners = (named_source(recipes, recipe, name, where) for name, where in names)
    return frozenset(question(SourceRef(owner.name, name)) for owner, name in owners)


def pin_reads(recipes: Recipes, recipe: Recipe, pin: Reading | Ladder) -> Reads:
    """What a pin is read from: the source of each rung."""
    rungs = pin.rungs if isinstance(pin, Ladder) else (pin,)
    names = ((rung.source, rung.where) for rung in rungs if rung.reader != "literal")
    return Reads(_questions(recipes, recipe, names))


def source_reads(recipes: Recipes, recipe: Recipe, spec: SourceSpec, where: Place | None) -> Reads:
    """What a source is read from: those that its kind says, and commits that pins tell of."""
    pins = (pin for pin in recipe.all_pins.values() if isinstance(pin, Reading))
    commits = ((pin.source, pin.where) for pin in pins if pin.reader == "git")
    return Reads(
        always=_questions(recipes, recipe, ((name, where) for name in spec.reads)),
        maybe=_questions(recipes, recipe, commits),
    )


def set_reads(recipes: Recipes, recipe: Recipe, spec: GoModulesSpec, *, listed: bool) -> Reads:
    """What a set of Go modules is read from: its source, and those of ``go`` if it was run.

    Args:
        recipes: Reads recipes by name.
        recipe: One that uses the set.
        spec: What it asks for.
        listed: Whether ``go list`` said which modules of the go.sum the set has.
    """
    reads = _questions(recipes, recipe, [(spec.source, spec.where)])
    return Reads(reads | go_reads(recipes, spec.where) if listed else reads)


def go_reads(recipes: Recipes, where: Place | None = None) -> frozenset[str]:
    """What ``go list`` is read from: every source of the recipe ``go``.

    Raises:
        RecipeError: there is no such recipe.
    """
    go = recipes.recipe("go", where)
    return _questions(recipes, go, ((name, use.where) for name, use in go.sources.items()))


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


@frozen
class Locked:
    """Answers from a lock; whatever does not fit the recipes is a LockError."""

    lock: Lock
    recipes: Recipes
    build_arch: str
    _open: OpenQuestions = field(factory=OpenQuestions, init=False, eq=False, repr=False)
    _seen: set[str] = field(factory=set, init=False, eq=False, repr=False)

    def pin(self, recipe: Recipe, name: str) -> str:
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        with self._open.asking(f"pin {recipe.name}/{name}", pin.where):
            return self._derived(recipe, name, pin)

    def _derived(self, recipe: Recipe, name: str, pin: Reading | Ladder) -> str:
        if isinstance(pin, Reading) and pin.reader == "git":
            owner, source = named_source(self.recipes, recipe, pin.source, pin.where)
            return git_fact(self.source(owner, source)[0], pin)
        key = str(PinRef(recipe.name, name))
        held = self.lock.pin(key, pin)
        found = pin_misfit(self.recipes, self, recipe, pin, held)
        if found is not None:
            raise self.lock.contradicts(key, found, held.where, pin.where)
        self._see_trace(f"pin {key}", held, pin_reads(self.recipes, recipe, pin), pin.where)
        return held.value

    def _see_trace(
        self,
        key: str,
        entry: PinValue | LockedSource | GoModuleSet,
        reads: Reads,
        where: Place | None,
    ) -> None:
        """See that what an entry was read from is what it is read from today.

        Raises:
            LockError: a source of its trace is another now, or is not there.
        """
        if key in self._seen:
            return
        name = key.split(" ")[1]
        if not reads.fit(entry.trace):
            names = ", ".join(asked for asked, _ in entry.trace or ())
            wanted = ", ".join(sorted(reads.always))
            other = Contradiction(fact="source", locked=names or "(none)", wanted=wanted)
            raise self.lock.contradicts(name, other, entry.where, where)
        for asked in moved(entry.trace, partial(self._digest, where)):
            raise self.lock.moved(name, asked, entry.where, where)
        self._seen.add(key)

    def _digest(self, where: Place | None, asked: str) -> str | None:
        """What a source is, by the lock; None if its recipe has none of that name."""
        ref = SourceRef.parse(asked)
        owner = self.recipes.recipe(ref.recipe, where)
        if ref.name not in owner.sources:
            return None
        key, answer = self._answer(owner, ref.name)
        return content_digest(SourceRef.parse(key), answer.spec, answer.parts)

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        key, answer = self._answer(recipe, name)
        use = recipe.sources[name]
        reads = source_reads(self.recipes, recipe, use.spec, use.where)
        self._see_trace(f"source {key}", answer, reads, use.where)
        return answer.parts

    def _answer(self, recipe: Recipe, name: str) -> tuple[str, LockedSource]:
        with self._open.asking(f"source {recipe.name}/{name}", recipe.sources[name].where):
            spec = described(recipe, name, self, self.build_arch)
        key = source_key(recipe.name, name, spec, self.build_arch)
        return key, self.lock.source(key, spec, recipe.sources[name].where)

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        owner, name = named_source(self.recipes, recipe, spec.source, spec.where)
        key = modules_key(owner.name, name, spec.directory)
        answer = self.lock.modules(key, spec)
        listed = len(answer.trace or ()) > 1  # not if another user of the set asks for everything
        reads = set_reads(self.recipes, recipe, spec, listed=listed)
        self._see_trace(f"modules {key} {spec_text(spec)}", answer, reads, spec.where)
        return answer

    def answer_all(self, recipe: Recipe) -> None:
        """See that everything that a recipe asks for has an answer.

        Raises:
            LockError: the lock lacks it, or has what it cannot be.
        """
        for name in recipe.all_pins:
            self.pin(recipe, name)
        for name, use in recipe.sources.items():
            if not isinstance(use.spec, FromSpec):
                self.source(recipe, name)
        if recipe.go_modules is not None:
            self.modules(recipe, recipe.go_modules)
