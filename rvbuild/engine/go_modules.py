"""Sets of Go modules: all of a go.sum, or what some packages need of it.

Knows: go.sum, and how the users of one module set share it. Must not know: who tells what
packages import, locks on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from attrs import evolve

from rvbuild.core.gomod import go_sum_path, parse_go_sum
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.engine.go_list import Import, needed_modules
from rvbuild.engine.source_files import SourceFiles

Imports = Callable[[Recipe, GoModulesSpec, SourceFiles], "set[Import]"]
"""What a recipe's packages import, on all its architectures.

Of the files it asks for the sources of the tool that it uses, so that they get into the trace.
"""

User = tuple[Recipe, GoModulesSpec]
"""A recipe, and what it asks of a set that others may share with it."""


def all_modules(files: SourceFiles, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
    """Everything that the go.sum beside a source's go.mod names.

    A module without its go.mod is left out: the go command never gets as far as its zip.
    """
    data = go_sum(files, recipe, spec)
    name = f"{spec.source}:{go_sum_path(spec.directory)}"
    sums = parse_go_sum(data.decode(errors="replace"), name)
    modules = {key: h1 for key, h1 in sums.modules.items() if key in sums.mods}
    triples = tuple((path, version, h1) for (path, version), h1 in sorted(modules.items()))
    return GoModuleSet(specs=(spec_text(spec),), modules=triples, go_sum=_sha256(data))


def with_go_sum(
    files: SourceFiles, recipe: Recipe, spec: GoModulesSpec, held: GoModuleSet
) -> GoModuleSet:
    """A set that a lock of version 1 has, with the digest of the go.sum that it was read from."""
    if held.go_sum:
        return held
    return evolve(held, go_sum=_sha256(go_sum(files, recipe, spec)))


def go_sum(files: SourceFiles, recipe: Recipe, spec: GoModulesSpec) -> bytes:
    """The go.sum beside a source's go.mod."""
    return files.read(recipe, spec.source, go_sum_path(spec.directory), spec.where)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def needed_by(
    files: SourceFiles, users: Sequence[User], whole: GoModuleSet, imports: Imports
) -> GoModuleSet:
    """What all of ``users`` need together of ``whole``; they use one module of one source."""
    modules = whole.modules
    if is_listed(users):
        packages = {each for recipe, spec in users for each in imports(recipe, spec, files)}
        needed = needed_modules(packages, (module[:2] for module in modules))
        modules = tuple(module for module in modules if module[:2] in needed)
    return evolve(whole, specs=asked(users), modules=modules)


def is_listed(users: Sequence[User]) -> bool:
    """Whether ``go list`` says what the users need: each of them names packages."""
    return all(spec.packages for _, spec in users)


def asked(users: Sequence[User]) -> tuple[str, ...]:
    """What the users ask for, as the lock says it."""
    return tuple(sorted({spec_text(spec) for _, spec in users}))
