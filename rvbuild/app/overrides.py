"""Folders that stand for sources, in one run.

Knows: which folder can stand for which source. Must not know: how a folder is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rvbuild.app.choices import Choices
from rvbuild.core.errors import SourceError, UsageError
from rvbuild.core.names import SourceRef
from rvbuild.kinds.path.fetch import PathFetcher
from rvbuild.kinds.path.source import PathSource
from rvbuild.recipes_yaml.collection import RecipeCollection


def override_sources(choices: Choices, recipes: RecipeCollection) -> dict[str, PathSource]:
    """The folders that stand for sources, by the source's name.

    Raises:
        UsageError: a name is no source, two name the same one, or a release is asked for.
        SourceError: a folder is not there.
    """
    # no shell expands what follows the =
    folders = {name: os.path.expanduser(path) for name, path in choices.overrides.items()}
    if folders and choices.release:
        msg = "--override and --release exclude each other"
        hint = "a release is made of pinned sources: commit the change, and pin that"
        raise UsageError(msg, hint=hint)
    for name, path in folders.items():  # before a folder is read, which may be a large one
        if not os.path.isdir(path):
            msg = f"--override {name}: there is no such folder"
            hint = "PATH is a folder with what the source is to be, such as your clone of it"
            raise SourceError(msg, where=path, hint=hint)
        if recipes.path(SourceRef.parse(name).recipe) is None:
            msg = f"--override {name}: there is no such recipe"
            hint = "NAME is a 'kind: source' recipe, or RECIPE/SOURCE; `rvbuild show` lists"
            raise UsageError(msg, hint=hint)
        _refuse_two_names(name, folders, recipes)
    return {name: PathFetcher().resolve(path) for name, path in folders.items()}


def _refuse_two_names(name: str, folders: Mapping[str, str], recipes: RecipeCollection) -> None:
    """A recipe's only source has two names, and only one folder can stand for it."""
    recipe, slash, _ = name.partition("/")
    if slash and recipe in folders and len(recipes.load(recipe).sources) == 1:
        msg = f"--override {recipe} and {name} are said of the same source"
        raise UsageError(msg, hint="say one of them")
