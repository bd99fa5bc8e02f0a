"""A folder of recipes on disk.

Knows: which files may lie beside a recipe, and how many. Must not know: what is in them.
"""

from __future__ import annotations

import os

from attrs import frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.paths import is_component
from rvbuild.recipes_yaml.document import MAX_BYTES
from rvbuild.recipes_yaml.project_file import near_path, read_file
from rvbuild.recipes_yaml.recipe_root import (
    RECIPE_FILE,
    SERIES_FILE,
    BesideFile,
    RecipeText,
)

MAX_FILES = 1000
MAX_DEPTH = 64


@frozen
class FolderRoot:
    """See `rvbuild.recipes_yaml.recipe_root.RecipeRoot`."""

    path: str

    def names(self) -> set[str]:
        if not os.path.isdir(self.path):
            return set()
        entries = _entries(self.path)
        return {
            each.name for each in entries if os.path.lexists(os.path.join(each.path, RECIPE_FILE))
        }

    def folder(self, name: str) -> str | None:
        folder = os.path.join(self.path, name)
        found = is_component(name) and os.path.lexists(os.path.join(folder, RECIPE_FILE))
        return folder if found else None

    def recipe(self, name: str) -> RecipeText:
        return _text(os.path.join(self.path, name, RECIPE_FILE))

    def beside(self, name: str) -> list[BesideFile]:
        """Symlinks and special files are refused."""
        return _beside(os.path.join(self.path, name))

    def series(self) -> RecipeText | None:
        path = os.path.join(self.path, SERIES_FILE)
        return _text(path) if os.path.lexists(path) else None


def _text(path: str) -> RecipeText:
    label = near_path(path)
    data = read_file(path, label, limit=MAX_BYTES, error=RecipeError).data
    return RecipeText(data, label)


def _beside(folder: str) -> list[BesideFile]:
    """The files beside ``recipe.yaml``, by path; symlinks and special files are refused."""
    files: list[BesideFile] = []
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
