"""What a lock of some recipes leaves of the lock before it.

Knows: when no recipe can ask for an entry any more. Must not know: files, how facts are found.
"""

from __future__ import annotations

from collections.abc import Collection

from attrs import evolve, frozen

from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.names import RecipeName, SetRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.spec_text import spec_text


@frozen(kw_only=True)
class LockRest:
    """Tells which entries of a former lock stay beside those of a new one.

    An entry goes if

    1. its recipe can be read, and does not have the entry's series any more, or has series now;
    2. its recipe was resolved, and the new lock does not have the entry; or
    3. it is a set of Go modules, every recipe can be read, and those that ask for what it was made
       for were resolved, and the new lock does not have it; there may be none.

    Every other one stays: who did not look at a recipe cannot know what that needs.

    Example: ``tree`` had the series 1 and 2, and has 1; ``go`` has its version out of it. After a
    lock of ``tree``, ``tree@2/t`` and ``go@2/version`` are gone (rule 1), and ``go@1/version`` is
    as it was.

    Attributes:
        new: The answers of the run.
        resolved: The names of the recipes that it resolved.
        recipes: Every recipe that can be read, in each of its series.
        is_complete: Whether these are all recipes that there are.
    """

    new: Lock
    resolved: Collection[str]
    recipes: Collection[Recipe]
    is_complete: bool

    def united(self, old: Lock) -> Lock:
        """The new lock, with what stays of the old one."""
        gone = self._gone(old)
        vain = gone.union(self.resolved)
        asked = {ref.on_any_machine for ref in self.new.sources}
        pins = {ref: pin for ref, pin in old.pins.items() if ref.recipe not in vain}
        sources = {
            ref: source
            for ref, source in old.sources.items()
            if ref.recipe not in vain or ref.on_any_machine in asked
        }
        sets = {
            ref: modules
            for ref, modules in old.go_modules.items()
            if ref.source.recipe not in gone and self._may_be_asked(ref, modules)
        }
        return evolve(
            self.new,
            pins={**pins, **self.new.pins},
            sources={**sources, **self.new.sources},
            go_modules={**sets, **self.new.go_modules},
        )

    def _gone(self, old: Lock) -> set[str]:
        """The recipes of the old lock that are none any more in that series."""
        there = {recipe.name for recipe in self.recipes}
        readable = {recipe.base for recipe in self.recipes}
        had = old.recipes() | {ref.source.recipe for ref in old.go_modules}
        return {name for name in had - there if RecipeName.parse(name).base in readable}

    def _may_be_asked(self, ref: SetRef, modules: GoModuleSet) -> bool:
        series = RecipeName.parse(ref.source.recipe).series
        users = {
            each.name
            for each in self.recipes
            if each.go_modules and spec_text(each.go_modules) in modules.specs
            if not (each.series and series) or each.series == series
        }
        return not self.is_complete or not users <= {*self.resolved}
