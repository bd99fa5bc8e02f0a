"""Folders of this machine that rvbuild itself changes, and so cannot be sources.

Knows: what rvbuild writes in a project. Must not know: how a folder is read, recipes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import LockError, RecipeError, SourceError
from rvbuild.core.ports.registries import Registries, ResolveContext
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.files.folder import is_below
from rvbuild.stores.top import FOLDERS, RESULT

_LOCK = "name a folder without it, such as one below it: a lock changes what it would pin"
_STORE = advise("name a folder without it, or ", Remedy.STORE, " that lies elsewhere")
_IN_STORE = "copy what you need out of the store, and name the folder with the copy"
_RESULT = "remove those links, and run rvbuild in another folder, where they appear"


@frozen(kw_only=True)
class OwnPlaces:
    """What rvbuild writes beside a project's recipes.

    A source that holds one of them is another one after each run: its lock would never fit. The
    same is true of a folder in one of the store's own folders, from which things also go when
    garbage is collected. So both are refused before the folder is read, which may be a large one.

    Example: in ``recipes/tool/recipe.yaml`` of a project, ``path: ../..`` is the project with its
    lock, ``path: ../../cache`` its store, ``path: ../../cache/trees`` lies in the store;
    ``path: ../../src`` is none of them. ``path: ../../result/TARGET`` is a link into the store.

    Attributes:
        lock: The project's lock, which need not be there yet.
        store: The store's folder, of which the same holds.
    """

    lock: str
    store: str

    def refuse_source(self, folder: str) -> None:
        """See that a recipe does not ask for such a folder.

        Raises:
            RecipeError: it does.
        """
        for message, hint in self._within(folder):
            raise RecipeError(message, where=folder, hint=hint)

    def refuse_locked(self, folder: str) -> None:
        """See that a lock, which an older rvbuild may have written, has no such folder.

        Raises:
            LockError: it has.
        """
        for message, hint in self._within(folder):
            raise LockError(message, where=folder, hint=hint)

    def refuse_override(self, folder: str) -> None:
        """See that a build does not read what it writes meanwhile; a lock it leaves alone.

        Raises:
            SourceError: the folder holds the store, or lies in it.
        """
        for message, hint in self._of_store(folder):
            raise SourceError(message, where=folder, hint=hint)

    def _within(self, folder: str) -> Iterator[tuple[str, Hint]]:
        result = os.path.abspath(RESULT)
        if is_below(self.lock, folder):
            yield self._holds("the project's lock", self.lock), _LOCK
        yield from self._of_store(folder)
        if os.path.lexists(result) and is_below(result, folder):
            yield self._holds("links to results", result), _RESULT

    def _of_store(self, folder: str) -> Iterator[tuple[str, Hint]]:
        """What is wrong with a folder that the store is in, or that is in the store."""
        if is_below(self.store, folder):
            yield self._holds("the store", self.store), _STORE
        elif any(is_below(folder, os.path.join(self.store, name)) for name in FOLDERS):
            yield f"the folder lies in the store, which rvbuild changes: {self.store}", _IN_STORE

    @staticmethod
    def _holds(what: str, path: str) -> str:
        return f"the folder holds {what}, which rvbuild changes: {path}"


@frozen
class OutsideOwn:
    """Asks the outside, but for folders that rvbuild changes."""

    registries: Registries
    own: OwnPlaces

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        """See `rvbuild.core.ports.registries.Registries`."""
        folder = spec.place(context.folder)
        if folder:
            self.own.refuse_source(folder)
        return self.registries.resolve(spec, context)
