"""Answers from a lock, for recipes that it fits.

Knows: which entry answers a question. Must not know: how a lock is written, what is outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from attrs import field, frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import LockError
from rvbuild.core.lock import AnyEntry, GoModuleSet, Lock, LockedSource
from rvbuild.core.names import AnyRef, Ref, SourceRef
from rvbuild.core.pinned import Recipes, described, git_fact, named_source
from rvbuild.core.place import Place
from rvbuild.core.question import (
    OpenQuestions,
    Question,
    pin_question,
    set_question,
    set_ref,
    source_question,
)
from rvbuild.core.recipe import DerivedPin, FromSpec, GoModulesSpec, Reading, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import content_digest

_RELOCK = advise(Remedy.LOCK, ", and look at what changes in rvbuild.lock")


@frozen
class Locked:
    """Answers as core.pinned.Pinned does; an entry that is no answer is a LockError.

    Attributes:
        lock: The lock.
        recipes: Reads recipes by name.
        build_arch: The build machine's architecture.
        folders: The sources that are folders of this machine, of all that was asked for and of all
            that these answers were read from.
    """

    lock: Lock
    recipes: Recipes
    build_arch: str
    folders: dict[SourceRef, Source] = field(factory=dict, init=False, eq=False, repr=False)
    _open: OpenQuestions = field(factory=OpenQuestions, init=False, eq=False, repr=False)
    _sound: set[tuple[Ref, str]] = field(factory=set, init=False, eq=False, repr=False)

    def pin(self, recipe: Recipe, name: str) -> str:
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        with self._open.asking(f"pin {recipe.name}/{name}", pin.where):
            return self._derived(recipe, name, pin)

    def _derived(self, recipe: Recipe, name: str, pin: DerivedPin) -> str:
        if isinstance(pin, Reading) and pin.reader == "git":
            owner, source = named_source(self.recipes, recipe, pin.source, pin.where)
            return git_fact(self.source(owner, source)[0], pin)
        question = pin_question(self.recipes, self, recipe, name, pin)
        return self._answer(question, self.lock.pins.get(question.ref)).value

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        ref = SourceRef(recipe.name, name)
        folder = Remedy.OVERRIDE.of(f"{ref}=FOLDER")
        hint = advise(Remedy.LOCK.of(ref.recipe), ", or ", folder)
        spec, _, entry = self._source(recipe, name, hint)
        parts = spec.located(entry.parts, recipe.folder)
        if parts[0].folder:  # a folder is one part
            self.folders[ref] = parts[0]
        return parts

    def _source(
        self, recipe: Recipe, name: str, hint: Hint = _RELOCK
    ) -> tuple[SourceSpec, SourceRef, LockedSource]:
        """What a recipe asks for, the name of the entry that answers it, and the entry."""
        spec = self._described(recipe, name)
        question = source_question(self.recipes, recipe, name, spec, self.build_arch)
        return spec, question.ref, self._answer(question, self.lock.sources.get(question.ref), hint)

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        ref = set_ref(self.recipes, recipe, spec)
        entry = self.lock.set_for(ref, spec_text(spec))
        names = frozenset(asked for asked, _ in entry.trace or ()) if entry else frozenset()
        listed = len(names) > 1
        others = names if listed else frozenset()  # of users whose recipes are not read here
        question = set_question(self.recipes, [(recipe, spec)], listed=listed, others=others)
        return self._answer(question, entry)

    def refusals(self, recipe: Recipe) -> Iterator[LockError]:
        """For each thing that a recipe asks for: what is wrong with its answer, if anything is.

        The lock lacks the answer, or has what it cannot be. One entry that several things need
        comes several times.

        Raises:
            RecipeError: a question of the recipe cannot be asked.
        """
        for answer in self._answers(recipe):
            try:
                answer()
            except LockError as error:
                yield error

    def _answers(self, recipe: Recipe) -> Iterator[Callable[[], object]]:
        """What looks for each answer."""
        for name in recipe.all_pins:
            yield partial(self.pin, recipe, name)
        for name, use in recipe.sources.items():
            if not isinstance(use.spec, FromSpec):
                yield partial(self.source, recipe, name)
        if recipe.go_modules is not None:
            yield partial(self.modules, recipe, recipe.go_modules)

    def _described(self, recipe: Recipe, name: str) -> SourceSpec:
        with self._open.asking(f"source {recipe.name}/{name}", recipe.sources[name].where):
            return described(recipe, name, self, self.build_arch)

    def _answer(
        self,
        question: Question[AnyRef, AnyEntry],
        entry: AnyEntry | None,
        hint: Hint = _RELOCK,
    ) -> AnyEntry:
        """The entry, which answers ``question``.

        Raises:
            LockError: the lock does not have it, or what it has is damaged, or no answer.
        """
        if damage := self.lock.damaged.get(question.ref):
            raise damage
        if entry is None:
            msg = f"{self.lock.file} does not have {question.ref}"
            raise LockError(msg, where=question.where, hint=hint)
        if (question.ref, question.text) not in self._sound:
            refusal = question.refusal(entry, partial(self._digest, question.where))
            if refusal is not None:
                msg = f"{self.lock.file} has {question.ref} {refusal.reason}"
                where = refusal.place or question.where
                raise LockError(msg, where=where, hint=_RELOCK, details=refusal.details)
            self._sound.add((question.ref, question.text))
        return entry

    def _digest(self, where: Place | None, asked: SourceRef) -> str:
        """The digest of a source's content, by the lock."""
        recipe = self.recipes.recipe(asked.recipe, where)
        self.source(recipe, asked.name)  # a folder among them is one that is looked at
        _, ref, entry = self._source(recipe, asked.name)
        return content_digest(ref, entry.spec, entry.parts)
