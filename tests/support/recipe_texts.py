"""Recipes out of texts, each in its series, without any folder."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.recipes_yaml.recipe import read_recipe


@frozen
class RecipeTexts:
    """Reads recipes as `rvbuild.core.pinned.Recipes` does; ``texts`` by their names."""

    texts: Mapping[str, str]
    series: SeriesRecipes = field(init=False)

    @series.default
    def _series(self) -> SeriesRecipes:
        return SeriesRecipes(self._read, names=lambda: self.texts)

    def _read(self, name: str, place: Place | None) -> Recipe:
        if name not in self.texts:
            msg = f"there is no recipe called {name!r}"
            raise RecipeError(msg, where=place)
        return read_recipe(self.texts[name].encode(), name, f"{name}.yaml")

    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe:
        return self.series.load(name, asked_at, series)

    def every(self) -> list[Recipe]:
        """All of them, in all of their series."""
        return [recipe for name in self.texts for recipe in self.series.every(name)]
