"""A folder of recipes with some files changed that nobody has written yet.

Knows: which file a recipe has. Must not know: what is in it, where the folder is.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen

from rvbuild.recipes_yaml.recipe_root import (
    RECIPE_FILE,
    SERIES_FILE,
    BesideFile,
    RecipeRoot,
    RecipeText,
)


@frozen
class EditedRoot:
    """See `rvbuild.recipes_yaml.recipe_root.RecipeRoot`.

    Attributes:
        root: The folder as it is.
        changed: The bytes of files that would have others, by their paths below it. A recipe's
            must be there; what says which series are the default may be new.
    """

    root: RecipeRoot
    changed: Mapping[str, bytes]

    @property
    def path(self) -> str:
        return self.root.path

    def names(self) -> set[str]:
        return self.root.names()

    def folder(self, name: str) -> str | None:
        return self.root.folder(name)

    def recipe(self, name: str) -> RecipeText:
        return self._edited(self.root.recipe(name), f"{name}/{RECIPE_FILE}")

    def beside(self, name: str) -> list[BesideFile]:
        return self.root.beside(name)

    def series(self) -> RecipeText | None:
        text = self.root.series()
        if text is None and SERIES_FILE in self.changed:
            text = RecipeText(b"", f"{self.path}/{SERIES_FILE}")
        return None if text is None else self._edited(text, SERIES_FILE)

    def _edited(self, text: RecipeText, path: str) -> RecipeText:
        return evolve(text, data=self.changed.get(path, text.data))
