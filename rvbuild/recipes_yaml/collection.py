"""A folder of recipes on disk.

Knows: where recipes and their files lie. Must not know: what is in them.
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
from rvbuild.recipes_yaml.document import MAX_BYTES, parse
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.project_file import near_path, read_file
from rvbuild.recipes_yaml.recipe import read_recipe

RECIPE_FILE = "recipe.yaml"
SERIES_FILE = "series.yaml"
MAX_FILES = 1000
MAX_DEPTH = 64


class RecipeCollection:
    """The recipes below one or more folders; an earlier folder hides a later one's recipe.

    Args:
        roots: Folders that hold ``NAME/recipe.yaml``, most important first.

    Attributes:
        series: The recipes, each in its series.
    """

    def __init__(self, roots: tuple[str, ...]) -> None:
        self.roots = roots
        self._recipes: dict[str, Recipe] = {}
        self._defaults: Defaults | None = None
        self.series = SeriesRecipes(self._file, self.default_series, self.names)

    def names(self) -> list[str]:
        """Every recipe's name, sorted.

        Raises:
            RecipeError: a folder of recipes cannot be read.
        """
        names: set[str] = set()
        for root in self.roots:
            if os.path.isdir(root):
                names.update(
                    entry.name
                    for entry in _entries(root)
                    if os.path.lexists(os.path.join(entry.path, RECIPE_FILE))
                )
        return sorted(names)

    def path(self, name: str) -> str | None:
        """The recipe's folder."""
        for root in self.roots if is_component(name) else ():
            folder = os.path.join(root, name)
            if os.path.lexists(os.path.join(folder, RECIPE_FILE)):
                return folder
        return None

    def series_files(self) -> list[str]:
        """Where it may be said which series are the default ones."""
        return [os.path.join(root, SERIES_FILE) for root in self.roots]

    def default_series(self) -> Defaults:
        """The default series, most important first.

        Raises:
            RecipeError: a file that says it is not valid.
        """
        if self._defaults is None:
            own, *others = self.series_files()
            said = _defaults(own)
            shipped = [name for path in others for name in _defaults(path)]
            self._defaults = said | {name: None for name in shipped if name not in said}
        return self._defaults

    def load(self, name: str, place: Place | None = None, series: str = "") -> Recipe:
        """One recipe with the files beside it; see `core.series`. Each file is read once."""
        return self.series.load(name, place, series)

    def _file(self, name: str, place: Place | None) -> Recipe:
        """What a file says, for every series.

        Raises:
            RecipeError: it is not valid, or a recipe names one that is not there.
            UsageError: the command line names one that is not there.
        """
        if name not in self._recipes:
            self._recipes[name] = self._read(name, place)
        return self._recipes[name]

    def _read(self, name: str, place: Place | None) -> Recipe:
        folder = self.path(name)
        if folder is None:
            called = "of that name" if may_have_login(name) else f"called {name!r}"
            msg = f"there is no recipe {called}"
            near = self._without_file(name) or suggestion(name, self.names())
            roots = " and ".join(self.roots)
            hint = near or advise(Remedy.LIST, f" in {roots}")
            if place is None:
                raise UsageError(msg, hint=hint)
            raise RecipeError(msg, where=place, hint=hint)
        file = os.path.join(folder, RECIPE_FILE)
        label = near_path(file)
        if name in RESERVED_NAMES:
            msg = f"a recipe cannot be called {name!r}: /in/{name} is {RESERVED_NAMES[name]}"
            raise RecipeError(msg, where=place or label, hint="give the recipe another name")
        data = read_file(file, label, limit=MAX_BYTES, error=RecipeError).data
        return read_recipe(data, name, label, tuple(_beside(folder)))

    def _without_file(self, name: str) -> str | None:
        folders = (os.path.join(root, name) for root in self.roots if is_component(name))
        folder = next((folder for folder in folders if os.path.isdir(folder)), None)
        return f"{folder} has no file {RECIPE_FILE}" if folder else None


def _defaults(path: str) -> dict[str, Place | None]:
    """What a file says, if it is there."""
    if not os.path.lexists(path):
        return {}
    label = near_path(path)
    fields = Fields(parse(read_file(path, label, limit=MAX_BYTES, error=RecipeError).data, label))
    names = fields.texts("default")
    fields.finish()
    return dict.fromkeys(names, fields.at("default"))


def _beside(folder: str) -> list[tuple[str, bytes, bool]]:
    """The files beside ``recipe.yaml``, by path; symlinks and special files are refused."""
    files: list[tuple[str, bytes, bool]] = []
    waiting, count = [""], 0
    while waiting:
        prefix = waiting.pop()
        for entry in _entries(os.path.join(folder, prefix)):
            path = prefix + entry.name
            if path == RECIPE_FILE:
                continue
            count += 1
            _check_beside(entry, count)
            if entry.is_dir(follow_symlinks=False):
                if path.count("/") == MAX_DEPTH:
                    raise _too_deep(entry.path)
                waiting.append(f"{path}/")
                continue
            file = read_file(entry.path, near_path(entry.path), limit=MAX_BYTES, error=RecipeError)
            if len(file.data) > MAX_BYTES:
                raise _too_much(entry.path)
            files.append((path, file.data, file.executable))
    return sorted(files)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as cause:
        msg = f"cannot be read: {cause.strerror}"
        raise RecipeError(msg, where=near_path(folder)) from cause


def _check_beside(entry: os.DirEntry[str], count: int) -> None:
    """Refuse what cannot lie beside a recipe, the ``count``th thing that does."""
    where = near_path(entry.path)
    if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
        msg = "only plain files may lie beside a recipe"
        raise RecipeError(msg, where=where, hint="put a file there, or a source into the recipe")
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        msg = "the name of a file beside a recipe must be UTF-8"
        raise RecipeError(msg, where=where, hint="give it another name") from None
    if count > MAX_FILES:
        raise _too_much(entry.path)


def _too_deep(path: str) -> RecipeError:
    msg = f"too deep beside the recipe: at most {MAX_DEPTH} folders in each other"
    return RecipeError(msg, where=near_path(path), hint="put the files further up")


def _too_much(path: str) -> RecipeError:
    msg = f"too much beside the recipe: at most {MAX_FILES} files of {MAX_BYTES} bytes"
    hint = "large files are sources: give them a URL"
    return RecipeError(msg, where=near_path(path), hint=hint)
