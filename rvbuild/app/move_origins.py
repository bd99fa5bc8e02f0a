"""Which of several moves an entry of a difference follows.

Knows: what values and sources of recipes are read from. Must not know: what differs, how it is
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Union

from attrs import frozen

from rvbuild.app.pin_scope import LoadedRecipes, with_read
from rvbuild.core.errors import RvbuildError
from rvbuild.core.names import PinRef, Ref, SetRef, SourceRef
from rvbuild.core.pin_step import PinStep
from rvbuild.core.pinned import named_source
from rvbuild.core.recipe import FromSpec, Recipe, used_names
from rvbuild.recipes_yaml.collection import RecipeCollection

_Item = Union[PinRef, SourceRef]
"""A value or a source, of any machine."""


@frozen
class MoveOrigins:
    """The moves of an update, and the recipes after them.

    Rules:

    1. An entry follows the nearest move of a value that it is read from, or that chooses it.
    2. A text follows what moves the sources that name it: such as a checksum.
    3. Else it follows the nearest recipe of which a value moves.
    """

    recipes: RecipeCollection
    steps: Sequence[PinStep]

    def of(self, refs: Iterable[Ref]) -> dict[Ref, int]:
        """The number of the step that each follows, if it follows any."""
        origins: dict[Ref, int] = {}
        for ref in refs:
            with suppress(RvbuildError):  # the lock says so
                at = self._of(ref)
                if at is not None:
                    origins[ref] = at
        return origins

    def _of(self, ref: Ref) -> int | None:
        item = _item(ref)
        recipe = self.recipes.load(item.recipe)
        for each in self._reached([item, *_naming(recipe, item)]):
            at = next(self._moving(each), None)
            if at is not None:
                return at
        read = (self._of_recipe(each.name) for each in with_read(self.recipes, [recipe]))
        return next((at for at in read if at is not None), None)

    def _reached(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Items, and all that they are read from, the nearest first."""
        seen, waiting = set[_Item](), [*items]
        while waiting:
            item = waiting.pop(0)
            if item not in seen:
                seen.add(item)
                yield item
                waiting += self._read(item)

    def _read(self, item: _Item) -> Iterator[_Item]:
        """What an item is read from, or chosen by."""
        recipe, known = self.recipes.load(item.recipe), LoadedRecipes(self.recipes)
        names: Iterable[str] = ()
        if isinstance(item, PinRef):
            pin = recipe.all_pins.get(item.name, "")
            names = () if isinstance(pin, str) else [rung.source for rung in pin.rungs]
        elif item.name in recipe.sources:
            spec = recipe.sources[item.name].spec
            if not isinstance(spec, FromSpec):
                yield from (PinRef(recipe.name, name) for name in sorted(used_names(spec)))
                return
            names = [item.name]
        for name in filter(None, names):
            owner, lent = named_source(known, recipe, name, recipe.at("sources"))
            yield SourceRef(owner.name, lent)

    def _moving(self, item: _Item) -> Iterator[int]:
        """The steps that move a value, or choose a source."""
        for at, step in enumerate(self.steps):
            names = {step.pin.name} if isinstance(item, PinRef) else step.sources
            if item.name in names and step.is_of(item.recipe):
                yield at

    def _of_recipe(self, name: str) -> int | None:
        return next((at for at, step in enumerate(self.steps) if step.is_of(name)), None)


def _item(ref: Ref) -> _Item:
    """What an entry is: of a set of modules the source."""
    if isinstance(ref, PinRef):
        return ref
    source = ref.source if isinstance(ref, SetRef) else SourceRef.parse(str(ref))
    return SourceRef(source.recipe, source.name)


def _naming(recipe: Recipe, item: _Item) -> Iterator[SourceRef]:
    """The sources of a recipe that name a text of it."""
    if isinstance(item, PinRef) and isinstance(recipe.all_pins.get(item.name), str):
        for name, use in recipe.sources.items():
            if not isinstance(use.spec, FromSpec) and item.name in used_names(use.spec):
                yield SourceRef(recipe.name, name)
