"""Recipes that could not be locked: the lock keeps what it had of them, all of it.

Knows: which other recipes need what such a one has not got. Must not know: what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from attrs import evolve, frozen

from rvbuild.core.lock import Entry, GoModuleSet, Lock
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import content_digest

Pin = TypeVar("Pin", PinRef, SourceRef)
Value = TypeVar("Value")


@frozen(kw_only=True)
class LockFailed:
    """What a run that failed for some recipes leaves.

    Example: ``tree`` has a source that is another now, and a pin that is nowhere; ``app`` has its
    version out of that source. The lock keeps its ``tree/t``, so ``app/version`` would be read
    from what the lock has not: ``app`` cannot be locked either, and both stay as they were.

    Attributes:
        old: The lock before.
        new: The answers of the run.
        recipes: Those that the run resolved, by name.
    """

    old: Lock
    new: Lock
    recipes: Mapping[str, Recipe]

    def causes(self, failed: AbstractSet[str]) -> dict[str, str]:
        """The recipes that cannot be locked because others were not, and one of these for each."""
        causes = dict.fromkeys(failed, "")
        while further := {
            name: cause for name, cause in self._readers(causes) if name not in causes
        }:
            causes |= further
        return {name: cause for name, cause in causes.items() if cause}

    def joined(self, failed: AbstractSet[str]) -> Lock:
        """The new lock, with what the old one has of recipes that could not be locked."""
        vain = {ref for ref, entry in self.new.go_modules.items() if self._users(entry) <= failed}
        return evolve(
            self.new,
            pins=_joined(self.old.pins, self.new.pins, failed),
            sources=_joined(self.old.sources, self.new.sources, failed),
            go_modules={
                **{ref: e for ref, e in self.old.go_modules.items() if ref in vain},
                **{ref: e for ref, e in self.new.go_modules.items() if ref not in vain},
            },
        )

    def _readers(self, failed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The recipes with an answer that was read from what the lock will not have."""
        lost = {ref.on_any_machine: ref.recipe for ref in self._lost(failed)}
        for pin, value in self.new.pins.items():
            yield from ((pin.recipe, cause) for cause in _read(value, lost))
        for ref, source in self.new.sources.items():
            yield from ((ref.recipe, cause) for cause in _read(source, lost))
        for modules in self.new.go_modules.values():
            for cause in _read(modules, lost):
                yield from ((name, cause) for name in self._users(modules))

    def _lost(self, failed: Mapping[str, str]) -> Iterator[SourceRef]:
        """The sources of failed recipes that are others now."""
        for ref, source in self.new.sources.items():
            had = self.old.sources.get(ref)
            digest = content_digest(ref, source.spec, source.parts)
            is_same = had is not None and content_digest(ref, had.spec, had.parts) == digest
            if ref.recipe in failed and not is_same:
                yield ref

    def _users(self, modules: GoModuleSet) -> set[str]:
        """The recipes that a set was made for."""
        return {
            name
            for name, recipe in self.recipes.items()
            if recipe.go_modules is not None and spec_text(recipe.go_modules) in modules.specs
        }


def _joined(
    old: Mapping[Pin, Value], new: Mapping[Pin, Value], failed: AbstractSet[str]
) -> dict[Pin, Value]:
    kept = {ref: entry for ref, entry in old.items() if ref.recipe in failed}
    return {**kept, **{ref: entry for ref, entry in new.items() if ref.recipe not in failed}}


def _read(entry: Entry, lost: Mapping[SourceRef, str]) -> Iterator[str]:
    """The recipes of lost sources that an answer was read from."""
    return (lost[asked] for asked, _ in entry.trace or () if asked in lost)
