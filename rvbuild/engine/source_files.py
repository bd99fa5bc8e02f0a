"""Other sources of recipes, and single files of them, read while a question is answered.

Knows: which source a name means, where its tree is, and what was asked. Must not know: what
files are read for.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

from attrs import field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Absent
from rvbuild.core.go_graph import MainModule
from rvbuild.core.names import SourceRef
from rvbuild.core.pinned import Pinned, Recipes, named_source
from rvbuild.core.place import Place
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested, file_at


class SourceTrees(Protocol):
    """Gives sources' trees and their files, fetching what is missing."""

    def root(self, source: Source) -> Digest: ...

    def nested(self, root: Digest) -> Nested: ...

    def read(self, blob: Digest) -> bytes: ...


@frozen
class SourceFiles:
    """The sources that the answer to one question is read from.

    Attributes:
        recipes: Reads recipes by name.
        pinned: Answers further questions.
        trees: Sources' content.
        asked: The sources that were asked for, as a trace calls them.
    """

    recipes: Recipes
    pinned: Pinned
    trees: SourceTrees
    asked: set[SourceRef] = field(factory=set, init=False)

    def named(self, recipe: Recipe, name: str, where: Place | None) -> tuple[Recipe, str]:
        """The recipe and the name of the source that ``recipe`` calls ``name``."""
        return named_source(self.recipes, recipe, name, where)

    def source(self, recipe: Recipe, name: str, where: Place | None) -> tuple[Source, ...]:
        """The parts of the source that ``recipe`` calls ``name``."""
        owner, own = self.named(recipe, name, where)
        parts = self.pinned.source(owner, own)
        self.asked.add(SourceRef(owner.name, own))
        return parts

    def read(self, recipe: Recipe, name: str, file: str, where: Place | None) -> bytes:
        """A file of the source that ``recipe`` calls ``name``.

        Raises:
            Absent: the source does not have it, or is more than one tree.
        """
        data = self._file(self._tree(recipe, name, where), file)
        if data is None:
            owner, own = self.named(recipe, name, where)
            msg = f"the source {owner.name}/{own} has no file {file}"
            raise Absent(msg, where=where)
        return data

    def main_module(self, recipe: Recipe, spec: GoModulesSpec) -> MainModule:
        """The module that ``spec`` of ``recipe`` is about."""
        owner, own = self.named(recipe, spec.source, spec.where)
        tree = self._tree(recipe, spec.source, spec.where)
        read = partial(self._file, tree)
        return MainModule(f"{owner.name}/{own}", read, spec.directory, spec.workspace)

    def _tree(self, recipe: Recipe, name: str, where: Place | None) -> Nested:
        parts = self.source(recipe, name, where)
        return self.trees.nested(self.trees.root(parts[0])) if len(parts) == 1 else {}

    def _file(self, tree: Nested, path: str) -> bytes | None:
        node = file_at(tree, path)
        return None if node is None else self.trees.read(node.digest)
