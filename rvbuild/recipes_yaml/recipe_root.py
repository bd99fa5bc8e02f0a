"""A place that holds ``NAME/recipe.yaml`` and the files beside it.

Knows: what a collection of recipes asks of a place. Must not know: what is in a file.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

RECIPE_FILE = "recipe.yaml"
SERIES_FILE = "series.yaml"

BesideFile = tuple[str, bytes, bool]
"""A file beside a recipe: its path, its content, its executable bit."""


@frozen
class RecipeText:
    """A file that a person wrote, and what messages call it."""

    data: bytes
    label: str


class RecipeRoot(Protocol):
    """A folder of recipes; each method raises RecipeError where something cannot be read."""

    @property
    def path(self) -> str:
        """What messages call it."""
        ...

    def names(self) -> set[str]:
        """The name of each recipe that is there."""
        ...

    def folder(self, name: str) -> str | None:
        """The recipe's folder; None if it is not there."""
        ...

    def recipe(self, name: str) -> RecipeText:
        """The recipe's file, which is there."""
        ...

    def beside(self, name: str) -> list[BesideFile]:
        """The files beside it, sorted by path."""
        ...

    def series(self) -> RecipeText | None:
        """What says which series are the default; None if nothing does."""
        ...
