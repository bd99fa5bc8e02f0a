"""Sources' descriptions, to sources by content.

Knows: what an answer may need. Must not know: kinds of sources, registries, locks.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.errors import RecipeError, RvbuildError
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.place import Place
from rvbuild.core.ports.registries import Registries, ResolveContext
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.engine.source_files import SourceFiles

__all__ = ["Registries", "SourceFinder"]


@frozen
class SourceFinder:
    """Finds what descriptions stand for.

    Attributes:
        registries: The outside.
        files: Other sources' files, which some answers are read from.
        build_arch: The build machine's architecture.
        locks: What was known before the run.
    """

    registries: Registries
    files: SourceFiles
    build_arch: str
    locks: tuple[Lock, ...] = ()

    def parts(
        self,
        recipe: Recipe,
        spec: SourceSpec,
        where: Place | None,
        earlier: LockedSource | None = None,
    ) -> tuple[Source, ...]:
        """The sources that ``spec`` of ``recipe`` stands for; ``earlier`` is what a lock has.

        Raises:
            RecipeError: it is a reference to another recipe's source.
            RvbuildError: it could not be found; ``details`` ends with the place that asks.
        """
        if isinstance(spec, FromSpec):
            msg = f"no way to lock a reference to {spec.recipe!r}"
            raise RecipeError(msg, where=where)
        context = ResolveContext(
            build_arch=self.build_arch,
            folder=recipe.folder,
            where=where,
            read=lambda source, file: self.files.read(recipe, source, file, where),
            earlier=earlier,
            locked=lambda: (each for lock in self.locks for each in lock.sources.values()),
        )
        try:
            return self.registries.resolve(spec, context)
        except RvbuildError as error:
            error.details = (*error.details, f"asked for at {where}")
            raise
