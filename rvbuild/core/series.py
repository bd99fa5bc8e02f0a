"""Series: lines of versions of recipes that move together, such as K3s 1.34 and 1.35.

Knows: which recipes have series, and which one a name means. Must not know: files, locks, keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve, field

from rvbuild.core.errors import (
    NoDefaultSeries,
    NoSeries,
    RecipeError,
    RvbuildError,
    UsageError,
    suggestion,
)
from rvbuild.core.names import RecipeName
from rvbuild.core.overridden import with_overrides, without_overrides
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.core.toolboxes import toolbox_of
from rvbuild.core.vain_override import Obstacle, SeriesMembers

Read = Callable[[str, "Place | None"], Recipe]
"""Reads a recipe by its folder's name; the second argument is the place that asks for it."""

Defaults = Mapping[str, "Place | None"]
"""The default series, most important first, with the place that says so.

None: it came with the recipes that rvbuild brings, and speaks of these alone.
"""


@define
class SeriesRecipes:
    """Recipes by name, each in a series if it has any.

    Rules:

    1. A `kind: source` recipe with ``per-series`` has these series.
    2. Another recipe has the series that all recipes have that it reads or needs and that have
       any: those of its sources and pins, its toolbox, its build and target inputs. If none of
       these has a series, it has none: it is one recipe, with one key, for all.
    3. ``NAME@SERIES`` names one of a recipe that has series.
    4. In the file of a recipe that is of a series, ``NAME`` means the one of the same series.
    5. A source's ``per-series`` may say values of recipes of the series that are instead of
       upstream's (``instead``). A recipe has those that are of it.
    6. Elsewhere ``NAME`` means the one of the default series: the first of ``defaults`` that the
       recipe has. So does a name that an option, or somebody, puts in the place of an input.
       A default that is passed over must be a series of some recipe: else it is misspelled.

    Example: ``k3s-source`` has the series 1.34 and 1.35. ``go`` has its version out of it, ``k3s``
    needs ``go`` and ``zlib``, and ``zlib`` needs nothing of these. So there are ``k3s@1.34`` with
    ``go@1.34``, ``k3s@1.35`` with ``go@1.35``, and one ``zlib`` for both.

    Attributes:
        read: Reads recipes, which are of no series yet.
        defaults: Returns the default series.
        names: Returns the name of every recipe.
        as_upstream: Whether recipes are without overrides.
    """

    read: Read
    defaults: Callable[[], Defaults] = dict
    names: Callable[[], Iterable[str]] = tuple
    as_upstream: bool = False
    _series: dict[str, tuple[str, ...] | None] = field(factory=dict, init=False)
    _declaring: dict[str, frozenset[str]] = field(factory=dict, init=False)
    _judged: set[tuple[str, str]] = field(factory=set, init=False)

    def load(self, name: str, place: Place | None = None, series: str = "") -> Recipe:
        """One recipe, in its series.

        Args:
            name: ``NAME``, or ``NAME@SERIES``.
            place: The place that names it; None: the command line.
            series: The series of the recipe that names it.

        Raises:
            RecipeError: it is not valid, or a recipe names one that is not there.
            UsageError: the command line names one that is not there.
        """
        asked = _parsed(name, place)
        recipe = self.read(asked.base, place)
        there = self.series_of(recipe)
        if there is None:
            if asked.series:
                msg = f"{asked.base} has no series: it is the same in all"
                hint = f"say `{asked.base}`"
                if place is None:
                    raise NoSeries(msg, where=name, hint=hint)
                raise RecipeError(msg, where=place, hint=hint)
            return without_overrides(recipe) if self.as_upstream else recipe
        if not there:
            raise self._nothing_in_common(recipe)
        chosen = asked.series or (
            series if series in there else self._default(recipe, there, place)
        )
        if chosen not in there:
            msg = f"{asked.base} has no series {chosen!r}"
            raise _error(msg, name, place, _known(chosen, there))
        recipe = evolve(recipe, name=str(RecipeName(recipe.name, chosen)))
        return without_overrides(recipe) if self.as_upstream else self._overridden(recipe)

    def _overridden(self, recipe: Recipe) -> Recipe:
        """With what the sources that have its series say to be instead of upstream's values."""
        for name in sorted(self._declaring[recipe.base]):
            declaring = self.read(name, None)
            overrides = declaring.per_series[recipe.series].instead
            if overrides.places and (name, recipe.series) not in self._judged:
                self._members(name, recipe.series).refuse_vain(overrides)
                self._judged.add((name, recipe.series))
            recipe = with_overrides(recipe, overrides, self.readable)
        return recipe

    def _members(self, source: str, series: str) -> SeriesMembers:
        def obstacle(recipe: Recipe) -> Obstacle | None:
            why = self._obstacle(recipe, source, series)
            if why and all(map(self.readable, self.closure(recipe.base))):
                return why
            return None

        return SeriesMembers(names=self.names, readable=self.readable, obstacle=obstacle)

    def _obstacle(self, recipe: Recipe, source: str, series: str) -> Obstacle | None:
        """Why a recipe does not have a series from a source, and what to do; None: it has."""
        there = self.series_of(recipe)
        if there is None:
            return f"{recipe.base} has no series", "say it in its recipe, beside the pin"
        if not there:
            error = self._nothing_in_common(recipe)
            return error.message, error.hint
        if series not in there:
            return f"{recipe.base} has no series {series!r}", _known(series, there)
        declaring = sorted(self._declaring[recipe.base])
        if source not in declaring:
            names = " and ".join(declaring)
            return f"{recipe.base} has its series from {names}", f"say it in the series of {names}"
        return None

    def every(self, name: str, place: Place | None = None) -> tuple[Recipe, ...]:
        """The recipe in each of its series; itself, if it has none.

        Raises:
            RecipeError: it is not valid, or what it needs has no series in common.
        """
        recipe = self.read(name, place)
        there = self.series_of(recipe)
        if there is None:
            return (self.load(name, place),)
        if not there:
            raise self._nothing_in_common(recipe)
        return tuple(self.load(str(RecipeName(name, series)), place) for series in there)

    def default_of(self, recipe: Recipe) -> str:
        """The series that the recipe's name alone means; empty if it means none."""
        there = self.series_of(self.read(recipe.base, None)) or ()
        return next((each for each in self.defaults() if each in there), "")

    def refuse_vain_defaults(self, before: str = "") -> None:
        """See that some recipe has each default series, or each that comes before one.

        A recipe that cannot be read may have it.

        Raises:
            RecipeError: none has it.
        """
        for series, where in self.defaults().items():
            if series == before:
                return
            if where is not None:
                self._refuse_vain(series, where)

    def _refuse_vain(self, series: str, where: Place) -> None:
        recipes = [self.readable(name) for name in self.names()]
        known = sorted({each for recipe in recipes if recipe for each in recipe.per_series})
        if series not in known and None not in recipes:
            msg = f"no recipe has the series {series!r}, which is to be the default"
            there = f"there are {', '.join(known)}" if known else "no recipe has any series"
            hint = " ".join(filter(None, (suggestion(series, known), there)))
            raise RecipeError(msg, where=where, hint=hint)

    def series_of(self, recipe: Recipe) -> tuple[str, ...] | None:
        """The series that a recipe has; None if it has none. What cannot be read has none.

        The walk has no recursion: a chain of recipes may be longer than Python's stack is deep.
        """
        waiting, opened = [recipe.base], set[str]()
        while waiting:
            name = waiting[-1]
            below = self._below(name) if name not in self._series else []
            fresh = [each for each in below if each not in self._series and each not in opened]
            opened.add(name)
            if fresh:
                waiting += fresh
                continue
            waiting.pop()
            if name not in self._series:
                self._series[name] = self._own_or_common(name, below)
                self._declaring[name] = self._declared_by(name, below)
        return self._series[recipe.base]

    def closure(self, name: str) -> set[str]:
        """The names of a recipe and of all that it reads or needs, as far as they can be read."""
        names, waiting = set[str](), [name]
        while waiting:
            here = waiting.pop()
            if here not in names:
                names.add(here)
                waiting += self._below(here)
        return names

    def _below(self, name: str) -> list[str]:
        """The recipes that one names."""
        recipe = self.readable(name)
        if recipe is None:
            return []
        return list(dict.fromkeys((*_references(recipe), *self._toolbox(recipe))))

    def readable(self, name: str) -> Recipe | None:
        """A recipe; None if it cannot be read: whoever needs it says so, where it is named."""
        try:
            return self.read(name, None)
        except RvbuildError:
            return None

    def _toolbox(self, recipe: Recipe) -> Iterator[str]:
        """The toolbox of a recipe's step; none if its inputs want different ones."""
        if recipe.toolbox is None or recipe.build is None:
            return
        inputs = map(self.readable, recipe.build_inputs)
        with suppress(RecipeError):  # the graph says so
            yield toolbox_of(recipe, [each for each in inputs if each is not None])

    def _own_or_common(self, name: str, below: Iterable[str]) -> tuple[str, ...] | None:
        recipe = self.readable(name)
        if recipe is None:
            return None
        given = [tuple(recipe.per_series)] if recipe.per_series else []
        given += [there for each in below if (there := self._series.get(each)) is not None]
        if not given:
            return None
        return tuple(each for each in given[0] if all(each in there for there in given))

    def _declared_by(self, name: str, below: Iterable[str]) -> frozenset[str]:
        """The sources that say which series a recipe has."""
        recipe = self.readable(name)
        own = {name} if recipe is not None and recipe.per_series else set[str]()
        return frozenset(own).union(*(self._declaring.get(each, ()) for each in below))

    def _nothing_in_common(self, recipe: Recipe) -> RecipeError:
        below = {name: self._series.get(name) for name in self._below(recipe.base)}
        listed = [
            f"{name} has {', '.join(there) or 'none'}"
            for name, there in below.items()
            if there is not None
        ]
        msg = f"what {recipe.name} needs has no series in common: {'; '.join(listed)}"
        hint = "give each `kind: source` recipe below it the same series under 'per-series'"
        return RecipeError(msg, where=recipe.at("sources"), hint=hint)

    def _default(self, recipe: Recipe, there: tuple[str, ...], place: Place | None) -> str:
        """The series that the name alone means.

        Raises:
            RecipeError: there is none, or a default is misspelled.
            NoDefaultSeries: the command line has to say which.
        """
        chosen = self.default_of(recipe)
        self.refuse_vain_defaults(chosen)
        if chosen:
            return chosen
        msg = f"none of the series of {recipe.name} is the default: {', '.join(there)}"
        hint = "name one of them under 'default' in recipes/series.yaml"
        if place is None:
            raise NoDefaultSeries(msg, where=recipe.name, hint=hint, series=there)
        raise RecipeError(msg, where=place, hint=hint)


def _parsed(name: str, place: Place | None) -> RecipeName:
    try:
        return RecipeName.parse(name)
    except UsageError as error:
        if place is None:
            raise
        msg = f"{name!r}: {error.message}"
        raise RecipeError(msg, where=place, hint=error.hint) from None


def _references(recipe: Recipe) -> Iterator[str]:
    """The names of the recipes that one reads or needs."""
    for use in recipe.sources.values():
        if isinstance(use.spec, FromSpec):
            yield use.spec.recipe
    pins = [pin for pin in recipe.all_pins.values() if not isinstance(pin, str)]
    names = [rung.source for pin in pins for rung in pin.rungs]
    if recipe.go_modules is not None:
        names.append(recipe.go_modules.source)
    yield from (name for name in names if name and name not in recipe.sources)
    yield from recipe.build_inputs
    yield from recipe.target_inputs


def _error(msg: str, name: str, place: Place | None, hint: str) -> RecipeError | UsageError:
    if place is None:
        return UsageError(msg, where=name, hint=hint)
    return RecipeError(msg, where=place, hint=hint)


def _known(series: str, there: Sequence[str]) -> str:
    known = f"it has {', '.join(there)}"
    near = suggestion(series, there)
    return f"{near} {known}" if near else known
