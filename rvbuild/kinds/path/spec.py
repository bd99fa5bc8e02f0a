"""A folder of this machine, as a recipe asks for it."""

from __future__ import annotations

import posixpath
from typing import Any

from attrs import evolve, field, frozen

from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.declaration import TEXT, key
from rvbuild.kinds.path.source import PathSource


@frozen(kw_only=True)
class PathSpec(SourceSpec):
    """A folder of this machine.

    Example: in ``recipes/tool/recipe.yaml``, ``path: ../../src`` is the project's ``src``.

    Attributes:
        path: Relative to the recipe's folder, so that a copy of a project builds from its own; or
            absolute.
    """

    answer = PathSource
    path: str = field(metadata=key("path", TEXT))

    @property
    def volatile(self) -> bool:
        return True

    def place(self, folder: str) -> str:
        """Where it is, for a recipe in ``folder``."""
        return posixpath.normpath(posixpath.join(folder, self.path))

    def located(self, parts: tuple[Any, ...], folder: str) -> tuple[PathSource, ...]:
        """Each part with the folder's place on this machine."""
        return tuple(evolve(part, path=self.place(folder)) for part in parts)


SPECS = {"path": PathSpec}
