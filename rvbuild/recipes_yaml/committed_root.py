"""A folder of recipes as a commit has it.

Knows: which files may lie beside a recipe. Must not know: git, what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from rvbuild.core.errors import RecipeError
from rvbuild.recipes_yaml.recipe_root import RECIPE_FILE, SERIES_FILE, BesideFile, RecipeText


@frozen
class CommittedFile:
    """A file of a commit; ``is_plain`` is false for a link or another repository."""

    data: bytes
    executable: bool = False
    is_plain: bool = True


@frozen
class CommittedRoot:
    """See `rvbuild.recipes_yaml.recipe_root.RecipeRoot`.

    Attributes:
        path: What messages call it, as ``v1.2:recipes``.
        files: By their paths below it.
    """

    path: str
    files: Mapping[str, CommittedFile]

    def names(self) -> set[str]:
        ends = (path.partition("/") for path in self.files)
        return {name for name, _, rest in ends if rest == RECIPE_FILE}

    def folder(self, name: str) -> str | None:
        return f"{self.path}/{name}" if f"{name}/{RECIPE_FILE}" in self.files else None

    def recipe(self, name: str) -> RecipeText:
        return self._text(f"{name}/{RECIPE_FILE}")

    def beside(self, name: str) -> list[BesideFile]:
        prefix = f"{name}/"
        paths = sorted(path for path in self.files if path.startswith(prefix))
        others = ((path, self._plain(path)) for path in paths if path != prefix + RECIPE_FILE)
        return [(path.removeprefix(prefix), each.data, each.executable) for path, each in others]

    def series(self) -> RecipeText | None:
        return self._text(SERIES_FILE) if SERIES_FILE in self.files else None

    def _text(self, path: str) -> RecipeText:
        return RecipeText(self._plain(path).data, f"{self.path}/{path}")

    def _plain(self, path: str) -> CommittedFile:
        """A file.

        Raises:
            RecipeError: it is a link, or another repository.
        """
        file = self.files[path]
        if not file.is_plain:
            msg = "only plain files are read out of a commit"
            raise RecipeError(msg, where=f"{self.path}/{path}", hint="commit the file itself")
        return file
