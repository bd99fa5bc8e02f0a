"""The values of pins as recipes and a lock have them, whether or not the lock is up to date.

Knows: where a value is. Must not know: whether it still answers its question, what it is for.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import LockError
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.pinned import Recipes, git_fact, named_source
from rvbuild.core.recipe import GoModulesSpec, Reading, Recipe
from rvbuild.core.source import Source


@frozen(kw_only=True)
class LockedValues:
    """Answers as `rvbuild.core.pinned.Pinned` does, out of a lock that is believed.

    Who wants to know what may be moved need not lock first.

    Attributes:
        lock: The lock.
        recipes: Reads recipes by name.
        build_arch: The build machine's architecture.
    """

    lock: Lock
    recipes: Recipes
    build_arch: str

    def pin(self, recipe: Recipe, name: str) -> str:
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            owner, source = named_source(self.recipes, recipe, pin.source, pin.where)
            return git_fact(self.source(owner, source)[0], pin)
        if isinstance(pin, Reading) and pin.reader == "literal":
            return pin.instead.value if pin.instead else pin.argument
        entry = self.lock.pins.get(PinRef(recipe.name, name))
        if entry is None:
            raise self._lacks(PinRef(recipe.name, name))
        return entry.value

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        return self.entry(recipe, name).parts

    def entry(self, recipe: Recipe, name: str) -> LockedSource:
        """What the lock has for one of a recipe's own sources.

        Raises:
            LockError: nothing.
        """
        spec = recipe.sources[name].spec
        ref = SourceRef(recipe.name, name, self.build_arch if spec.per_machine else "")
        if ref not in self.lock.sources:
            raise self._lacks(ref)
        return self.lock.sources[ref]

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        msg = f"nobody asks for modules here: {recipe.name}, {spec.source}"
        raise TypeError(msg)

    def _lacks(self, ref: PinRef | SourceRef) -> LockError:
        msg = f"{self.lock.file or 'the lock'} does not have {ref}"
        return LockError(msg, hint=advise(Remedy.LOCK))
