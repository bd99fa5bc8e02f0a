"""The recipes of one or more folders, on disk or elsewhere.

Knows: which folder a recipe is taken from. Must not know: how a folder is read, what is in files.
"""

from __future__ import annotations

import os

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import RecipeError, UsageError, suggestion
from rvbuild.core.login import may_have_login
from rvbuild.core.paths import is_component
from rvbuild.core.place import Place
from rvbuild.core.recipe import RESERVED_NAMES, Recipe
from rvbuild.core.series import Defaults, SeriesRecipes
from rvbuild.recipes_yaml.document import parse
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.folder_root import FolderRoot
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.recipes_yaml.recipe_root import RECIPE_FILE, SERIES_FILE, RecipeRoot, RecipeText


class RecipeCollection:
    """The recipes below one or more folders; an earlier folder hides a later one's recipe.

    Args:
        roots: Folders that hold ``NAME/recipe.yaml``, most important first; a text is one on disk.
        as_upstream: Whether recipes are without overrides.

    Attributes:
        series: The recipes, each in its series.
    """

    def __init__(self, roots: tuple[str | RecipeRoot, ...], *, as_upstream: bool = False) -> None:
        self.roots: tuple[RecipeRoot, ...] = tuple(
            FolderRoot(root) if isinstance(root, str) else root for root in roots
        )
        self._recipes: dict[str, Recipe] = {}
        self._defaults: Defaults | None = None
        self.series = SeriesRecipes(
            self.file, self.default_series, self.names, as_upstream=as_upstream
        )

    def names(self) -> list[str]:
        """Every recipe's name, sorted.

        Raises:
            RecipeError: a folder of recipes cannot be read.
        """
        return sorted(set[str]().union(*(root.names() for root in self.roots)))

    def path(self, name: str) -> str | None:
        """The recipe's folder."""
        root = self._root(name)
        return root.folder(name) if root else None

    def _root(self, name: str) -> RecipeRoot | None:
        """The first folder that has a recipe."""
        return next((root for root in self.roots if root.folder(name) is not None), None)

    def series_files(self) -> list[str]:
        """Where it may be said which series are the default ones."""
        return [os.path.join(root.path, SERIES_FILE) for root in self.roots]

    def default_series(self) -> Defaults:
        """The default series, most important first.

        Raises:
            RecipeError: a file that says it is not valid.
        """
        if self._defaults is None:
            own, *others = (root.series() for root in self.roots)
            said = _defaults(own)
            shipped = [name for text in others for name in _defaults(text)]
            self._defaults = said | {name: None for name in shipped if name not in said}
        return self._defaults

    def load(self, name: str, place: Place | None = None, series: str = "") -> Recipe:
        """One recipe with the files beside it; see `core.series`. Each file is read once."""
        return self.series.load(name, place, series)

    def file(self, name: str, place: Place | None = None) -> Recipe:
        """What a file says, for every series.

        Raises:
            RecipeError: it is not valid, or a recipe names one that is not there.
            UsageError: the command line names one that is not there.
        """
        if name not in self._recipes:
            self._recipes[name] = self._read(name, place)
        return self._recipes[name]

    def _read(self, name: str, place: Place | None) -> Recipe:
        root = self._root(name)
        if root is None:
            called = "of that name" if may_have_login(name) else f"called {name!r}"
            msg = f"there is no recipe {called}"
            near = self._without_file(name) or suggestion(name, self.names())
            roots = " and ".join(root.path for root in self.roots)
            hint = near or advise(Remedy.LIST, f" in {roots}")
            if place is None:
                raise UsageError(msg, hint=hint)
            raise RecipeError(msg, where=place, hint=hint)
        text = root.recipe(name)
        if name in RESERVED_NAMES:
            msg = f"a recipe cannot be called {name!r}: /in/{name} is {RESERVED_NAMES[name]}"
            raise RecipeError(msg, where=place or text.label, hint="give the recipe another name")
        return read_recipe(text.data, name, text.label, tuple(root.beside(name)))

    def _without_file(self, name: str) -> str | None:
        paths = (root.path for root in self.roots if is_component(name))
        folders = (os.path.join(path, name) for path in paths)
        folder = next((folder for folder in folders if os.path.isdir(folder)), None)
        return f"{folder} has no file {RECIPE_FILE}" if folder else None


def _defaults(text: RecipeText | None) -> dict[str, Place | None]:
    """What a file says, if it is there."""
    if text is None:
        return {}
    fields = Fields(parse(text.data, text.label))
    names = fields.texts("default")
    fields.finish()
    return dict.fromkeys(names, fields.at("default"))
