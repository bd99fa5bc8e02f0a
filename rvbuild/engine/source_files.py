"""Single files of recipes' sources, read while a lock is made.

Knows: which source a name means, and where its tree is. Must not know: what files are read for.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError
from rvbuild.core.pinned import Recipes, named_source
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested, file_at


class SourceTrees(Protocol):
    """Gives sources' trees and their files, fetching what is missing."""

    def root(self, source: Source) -> Digest: ...

    def nested(self, root: Digest) -> Nested: ...

    def read(self, blob: Digest) -> bytes: ...


class Parts(Protocol):
    """Tells what one of a recipe's own sources is made of."""

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]: ...


@frozen
class SourceFiles:
    """Reads files out of sources.

    Attributes:
        recipes: Reads recipes by name.
        parts: What a source is pinned to.
        trees: Its content.
    """

    recipes: Recipes
    parts: Parts
    trees: SourceTrees

    def named(self, recipe: Recipe, name: str, where: Place | None) -> tuple[Recipe, str]:
        """The recipe and the name of the source that ``recipe`` calls ``name``."""
        return named_source(self.recipes, recipe, name, where)

    def source(self, recipe: Recipe, name: str, where: Place | None) -> tuple[Source, ...]:
        """The parts of the source that ``recipe`` calls ``name``."""
        owner, own = self.named(recipe, name, where)
        return self.parts.source(owner, own)

    def read(self, recipe: Recipe, name: str, file: str, where: Place | None) -> bytes:
        """A file of the source that ``recipe`` calls ``name``.

        Raises:
            LockError: the source does not have it, or is more than one tree.
        """
        owner, own = self.named(recipe, name, where)
        parts = self.parts.source(owner, own)
        tree: Nested = self.trees.nested(self.trees.root(parts[0])) if len(parts) == 1 else {}
        found = file_at(tree, file)
        if found is None:
            msg = f"the source {owner.name}/{own} has no file {file}"
            raise LockError(msg, where=where)
        return self.trees.read(found.digest)
