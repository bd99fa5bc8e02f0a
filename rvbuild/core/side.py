"""One of two things that are compared: a lock, and the recipes that it answers.

Knows: by which names two of them meet. Must not know: where they were read, what differs.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.lock import Lock
from rvbuild.core.names import PinRef, RecipeName, SetRef, SourceRef
from rvbuild.core.recipe import Recipe


@frozen(kw_only=True)
class Side:
    """A lock, with its recipes where they are known.

    A side that is a series gives up the name of the series, so that ``go@1.34`` of one side meets
    ``go@1.35`` of the other; sides that are revisions keep the names of all series.

    Attributes:
        name: What a person calls it.
        lock: The entries that are compared.
        recipes: By their own names; None where there is a lock alone.
        unreadable: The names, without series, of recipes that something is wrong with.
        series: The one that the side is.
    """

    name: str
    lock: Lock
    recipes: Mapping[str, Recipe] | None = field(default=None, repr=False)
    unreadable: frozenset[str] = frozenset()
    series: str = ""

    def common(self, recipe: str) -> str:
        """A recipe's name as the other side has it."""
        name = RecipeName.parse(recipe)
        return name.base if self.series and name.series == self.series else recipe

    def pin(self, ref: PinRef) -> PinRef:
        """A pin's name as the other side has it."""
        return evolve(ref, recipe=self.common(ref.recipe))

    def source(self, ref: SourceRef) -> SourceRef:
        """A source's name as the other side has it."""
        return evolve(ref, recipe=self.common(ref.recipe))

    def module_set(self, ref: SetRef) -> SetRef:
        """The name of a set of Go modules as the other side has it."""
        return evolve(ref, source=self.source(ref.source))

    def only(self, recipes: Container[str], sets: Container[SetRef]) -> Side:
        """The side with nothing but some recipes and sets, by the names that both sides have."""
        lock = Lock(
            pins={ref: e for ref, e in self.lock.pins.items() if self.pin(ref).recipe in recipes},
            sources={
                ref: entry
                for ref, entry in self.lock.sources.items()
                if self.source(ref).recipe in recipes
            },
            go_modules={
                ref: entry
                for ref, entry in self.lock.go_modules.items()
                if self.module_set(ref) in sets
            },
        )
        if self.recipes is None:
            return evolve(self, lock=lock)
        own = {name: each for name, each in self.recipes.items() if self.common(name) in recipes}
        return evolve(self, lock=lock, recipes=own)
