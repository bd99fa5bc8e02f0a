"""Folders of this machine: those that stand for sources in one run, and those that a lock has.

Knows: which folder can stand for which source, and when a locked one is not what it was. Must not
know: how a folder is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from rvbuild.app.choices import Choices
from rvbuild.app.own_places import OwnPlaces
from rvbuild.core.advice import Remedy, advise, joined
from rvbuild.core.errors import LockError, SourceError, StepError, UsageError, single_failures
from rvbuild.core.link import LOCKED_MODULES, Linked
from rvbuild.core.lock import Lock
from rvbuild.core.names import RecipeName
from rvbuild.kinds.path.fetch import PathFetcher
from rvbuild.kinds.path.source import PathSource
from rvbuild.recipes_yaml.collection import RecipeCollection

_NO_MODULE = "module lookup disabled by GOPROXY=off"
"""What the go command says of a module that is not in its cache, and that it may not ask for."""


def override_sources(
    choices: Choices, recipes: RecipeCollection, own: OwnPlaces
) -> dict[str, PathSource]:
    """The folders that stand for sources, by the source's name.

    Raises:
        UsageError: a name is no source, two name the same one, or a release is asked for.
        SourceError: a folder is not there, holds the store, or lies in it.
    """
    # no shell expands what follows the =
    folders = {name: os.path.expanduser(path) for name, path in choices.overrides.items()}
    if folders and choices.release:
        msg = "a release cannot have an override"
        raise UsageError(msg, hint="releases have pinned sources: commit the change, and pin that")
    for name, path in folders.items():  # before a folder is read, which may be a large one
        if not os.path.isdir(path):
            msg = f"the override of {name}: there is no such folder"
            way = "name a folder with what the source is to be, such as your clone of it"
            raise SourceError(msg, where=path, hint=way)
        if recipes.path(RecipeName.parse(name.partition("/")[0]).base) is None:
            msg = f"the override of {name}: there is no such recipe"
            hint = advise("NAME is a 'kind: source' recipe, or RECIPE/SOURCE; ", Remedy.LIST)
            raise UsageError(msg, hint=hint)
        own.refuse_override(path)
        _refuse_two_names(name, folders, recipes)
    return {name: PathFetcher().resolve(path) for name, path in folders.items()}


def _refuse_two_names(name: str, folders: Mapping[str, str], recipes: RecipeCollection) -> None:
    """A recipe's only source has two names, and only one folder can stand for it."""
    recipe, slash, _ = name.partition("/")
    if slash and recipe in folders and len(recipes.load(recipe).sources) == 1:
        msg = f"the overrides of {recipe} and {name} are of the same source"
        raise UsageError(msg, hint="say one of them")


def tell_of_modules(failures: Iterable[Exception], choices: Choices) -> None:
    """Add to a step's failure what to do if it misses a Go module that an override asks for."""
    for failure in single_failures(failures):
        if not (choices.overrides and isinstance(failure, StepError)):
            continue
        if any(_NO_MODULE in line for line in failure.details):
            failure.hint = joined([advise(LOCKED_MODULES, ", and ", Remedy.LOCK), failure.hint])


def refuse_edited(linked: Linked, lock: Callable[[], Lock], own: OwnPlaces) -> None:
    """See that each locked folder that is built from, or read from, holds what was locked.

    Its content is the key of what is built: without this, a build would answer with what is
    there of the former content. A folder that is not on this machine is not looked at, since
    results of it may be there. Nor is one for which another folder stands.

    Args:
        linked: What is to be built.
        lock: Returns the lock; called for a message only.
        own: What rvbuild itself writes.

    Raises:
        LockError: a folder was edited since it was locked, or rvbuild edits it.
    """
    today: dict[str, PathSource] = {}
    for ref, source in linked.folders.items():
        folder = source.folder
        if not os.path.isdir(folder):
            continue
        own.refuse_locked(folder)
        if folder not in today:
            today[folder] = PathFetcher().resolve(folder)
        if today[folder] != source:
            msg = f"the folder is not what {lock().file} has of {ref}: it was edited since"
            now = Remedy.OVERRIDE.of(f"{ref}={folder}")
            hint = advise(Remedy.LOCK, "; to build what is there now, ", now)
            raise LockError(msg, where=folder, hint=hint)
