"""A folder of recipes on disk.

Knows: where recipes and their files lie. Must not know: what is in them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from rvbuild.core.errors import RecipeError, UsageError, suggestion
from rvbuild.core.recipe import Recipe
from rvbuild.files.walk import below
from rvbuild.recipes_yaml.document import MAX_BYTES
from rvbuild.recipes_yaml.recipe import read_recipe

RECIPE_FILE = "recipe.yaml"
MAX_FILES = 1000


class Folder:
    """The recipes below one or more folders; an earlier folder hides a later one's recipe.

    Args:
        roots: Folders that hold ``NAME/recipe.yaml``, most important first.
    """

    def __init__(self, roots: tuple[str, ...]) -> None:
        self.roots = roots

    def names(self) -> list[str]:
        """Every recipe's name, sorted."""
        found: set[str] = set()
        for root in self.roots:
            if os.path.isdir(root):
                with os.scandir(root) as entries:
                    found.update(
                        entry.name
                        for entry in entries
                        if os.path.exists(os.path.join(entry.path, RECIPE_FILE))
                    )
        return sorted(found)

    def path(self, name: str) -> str | None:
        """The recipe's folder."""
        for root in self.roots:
            folder = os.path.join(root, name)
            if os.path.exists(os.path.join(folder, RECIPE_FILE)):
                return folder
        return None

    def load(self, name: str, asked_at: str | None = None) -> Recipe:
        """Read one recipe with the files beside it.

        Args:
            name: The recipe's name.
            asked_at: The place that names it, for the message if there is none.

        Raises:
            RecipeError: it is not valid, or a recipe names one that is not there.
            UsageError: the command line names one that is not there.
        """
        folder = self.path(name)
        if folder is None:
            msg = f"there is no recipe called {name!r}"
            hint = self._without_file(name) or suggestion(name, self.names())
            hint = hint or f"`rvbuild show` lists those in {' and '.join(self.roots)}"
            if asked_at is None:
                raise UsageError(msg, hint=hint)
            raise RecipeError(msg, where=asked_at, hint=hint)
        file = os.path.join(folder, RECIPE_FILE)
        shown = os.path.relpath(file) if file.startswith(os.getcwd() + os.sep) else file
        return read_recipe(_read(file, shown), name, shown, tuple(_beside(folder)))

    def _without_file(self, name: str) -> str | None:
        folders = (os.path.join(root, name) for root in self.roots)
        found = next((folder for folder in folders if name and os.path.isdir(folder)), None)
        return f"{found} has no file {RECIPE_FILE}" if found else None


def _read(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as cause:
        msg = f"cannot be read: {cause.strerror}"
        raise RecipeError(msg, where=shown) from cause


def _beside(folder: str) -> list[tuple[str, bytes, bool]]:
    """The files beside ``recipe.yaml``, by path; symlinks and special files are refused."""
    with os.scandir(folder) as entries:
        if sum(1 for _ in entries) == 1:
            return []
    try:
        return sorted(_files_below(folder))
    except OSError as cause:
        msg = f"cannot be read: {cause.strerror}"
        raise RecipeError(msg, where=folder) from cause


def _files_below(folder: str) -> Iterator[tuple[str, bytes, bool]]:
    count = 0
    for entry in below(folder):
        path, relative = entry.path, os.path.relpath(entry.path, folder)
        if relative == RECIPE_FILE or entry.is_dir(follow_symlinks=False):
            continue
        if not entry.is_file(follow_symlinks=False):
            msg = "only plain files may lie beside a recipe"
            raise RecipeError(msg, where=path)
        if count == MAX_FILES or entry.stat().st_size > MAX_BYTES:
            msg = f"too much beside the recipe: at most {MAX_FILES} files of {MAX_BYTES} bytes"
            raise RecipeError(msg, where=path, hint="large files are sources: give them a URL")
        count += 1
        executable = bool(entry.stat().st_mode & stat.S_IXUSR)  # whoever asks, root too
        yield relative, _read(path, path), executable
