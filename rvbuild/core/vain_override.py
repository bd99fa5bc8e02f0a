"""Overrides of a series that would change nothing.

Knows: what an override must fit. Must not know: how recipes get series, whether an override holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from rvbuild.core.advice import Hint
from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.names import PinRef, SetRef
from rvbuild.core.overridden import Readable, pin_with, set_of
from rvbuild.core.override import Override, SeriesOverrides
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe

_HINT = "name RECIPE/SOURCE, or RECIPE/SOURCE:FOLDER, as `inputs.go-modules` of one of them has it"

Obstacle = tuple[str, "Hint | None"]
"""Why a recipe is not of a series, and what to do."""


@frozen(kw_only=True)
class SeriesMembers:
    """The recipes that get the overrides of one source's series.

    Rules:

    1. An override of a pin is of a recipe that has the series from the source, and the recipe has
       the pin.
    2. One of a set of Go modules is of a set that some recipe uses which has the series from the
       source.
    3. A recipe that cannot be read, or that needs one which cannot be read, may be the one.

    Attributes:
        names: Returns the name of every recipe.
        readable: Reads a recipe.
        obstacle: Returns why a recipe does not get the overrides; None: it does, or rule 3 holds.
    """

    names: Callable[[], Iterable[str]]
    readable: Readable
    obstacle: Callable[[Recipe], Obstacle | None]

    def refuse_vain(self, overrides: SeriesOverrides) -> None:
        """See that each override is of something that a recipe gets it for.

        Raises:
            RecipeError: one is not: it would change nothing.
        """
        for ref, where in overrides.places.items():
            name = ref.recipe if isinstance(ref, PinRef) else ref.source.recipe
            recipe = self.readable(name)
            if recipe is None and name not in (known := set(self.names())):
                msg = f"there is no recipe called {name!r}"
                raise RecipeError(msg, where=where, hint=suggestion(name, known))
            if recipe is None:
                continue
            if isinstance(ref, PinRef):
                self._refuse_vain_pin(recipe, ref, overrides.pins[ref])
            else:
                self._refuse_vain_set(recipe, ref, where)

    def _refuse_vain_pin(self, recipe: Recipe, ref: PinRef, override: Override) -> None:
        known = [name for name, pin in recipe.all_pins.items() if pin]
        if ref.name not in known:
            raise _lacks(recipe, "pin", ref.name, known, override.where)
        pin_with(str(ref), recipe.all_pins[ref.name], override, override.where)
        obstacle = self.obstacle(recipe)
        if obstacle is not None:
            why, hint = obstacle
            msg = f"the value instead of upstream's of {ref} changes nothing: {why}"
            raise RecipeError(msg, where=override.where, hint=hint)

    def _refuse_vain_set(self, owner: Recipe, ref: SetRef, where: Place | None) -> None:
        if ref.source.name not in owner.sources:
            raise _lacks(owner, "source", ref.source.name, [*owner.sources], where)
        known = set[str]()
        for recipe in map(self.readable, self.names()):
            if recipe is None:
                return
            if recipe.go_modules is None or self.obstacle(recipe) is not None:
                continue
            used = set_of(recipe, recipe.go_modules, self.readable)
            if used in {ref, None}:
                return
            known.add(str(used))
        msg = f"no recipe of the series uses the Go modules {ref}: nothing would change"
        hint = _known(str(ref), sorted(known)) if known else _HINT
        raise RecipeError(msg, where=where, hint=hint)


def _lacks(
    recipe: Recipe, what: str, name: str, known: Sequence[str], where: Place | None
) -> RecipeError:
    msg = f"{recipe.base} has no {what} called {name!r}"
    return RecipeError(msg, where=where, hint=_known(name, known))


def _known(name: str, known: Sequence[str]) -> str:
    return suggestion(name, known) or f"known: {', '.join(known) or 'none'}"
