"""Sets of Go modules: all that a module's graph needs of its go.sum, or what some packages need.

Knows: how the users of one module share a set. Must not know: who says what packages need, locks
on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from attrs import evolve

from rvbuild.core.go_mod_changes import UNCHANGED, GoModChanges
from rvbuild.core.go_source import GoModFiles, GoModFilesSpec
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.question import User
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.engine.source_files import SourceFiles
from rvbuild.engine.sources import SourceFinder

NeededModules = Callable[[Sequence[User], SourceFiles, GoModuleSet], set[tuple[str, str]]]
"""The (path, version) of the modules of a whole set that the users' packages need together.

Of the files it asks for the sources of the tools that it uses, so that they get into the trace.
"""


def all_modules(
    finder: SourceFinder,
    recipe: Recipe,
    spec: GoModulesSpec,
    changes: GoModChanges = UNCHANGED,
    *,
    discover: bool = False,
) -> GoModuleSet:
    """Every module that the module in a folder of a source can need.

    Args:
        finder: The outside.
        recipe: Whose source it is.
        spec: What the recipe asks for.
        changes: What the module has instead of what its files say.
        discover: Whether what no go.sum knows is offered, too; see `GoModFilesSpec`.
    """
    main = evolve(finder.files.main_module(recipe, spec), changes=changes)
    asked = GoModFilesSpec(main=main, discover=discover)
    (answer,) = finder.parts(recipe, asked, spec.where)
    if not isinstance(answer, GoModFiles):
        raise TypeError(answer)
    return GoModuleSet(
        specs=(spec_text(spec),),
        modules=answer.modules,
        go_sum=answer.go_sum,
        changes=answer.changes,
    )


def with_go_sum(
    files: SourceFiles, recipe: Recipe, spec: GoModulesSpec, held: GoModuleSet
) -> GoModuleSet:
    """A set that a lock of version 1 has, with the digest of the go.sum that it was read from."""
    if held.go_sum:
        return held
    text = files.main_module(recipe, spec).go_sum
    return evolve(held, go_sum=hashlib.sha256(text).hexdigest())


def needed_by(
    files: SourceFiles, users: Sequence[User], whole: GoModuleSet, needed: NeededModules
) -> GoModuleSet:
    """What all of ``users`` need together of ``whole``; they use one module of one source."""
    modules = whole.modules
    if is_listed(users):
        keys = needed(users, files, whole)
        modules = tuple(module for module in modules if module[:2] in keys)
    return evolve(whole, specs=asked(users), modules=modules)


def is_listed(users: Sequence[User]) -> bool:
    """Whether ``go list`` says what the users need: each of them names packages."""
    return all(spec.packages for _, spec in users)


def asked(users: Sequence[User]) -> tuple[str, ...]:
    """What the users ask for, as the lock says it."""
    return tuple(sorted({spec_text(spec) for _, spec in users}))
