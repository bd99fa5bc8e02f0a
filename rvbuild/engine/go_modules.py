"""Sets of Go modules: all of a go.sum, or what some packages need of it.

Knows: go.sum, and how the users of one module set share it. Must not know: who tells what
packages import, locks on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rvbuild.core.gomod import parse_go_sum
from rvbuild.core.lock import GoModuleSet, spec_text
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.engine.go_list import Import, needed_modules
from rvbuild.engine.source_files import SourceFiles

Imports = Callable[[Recipe, GoModulesSpec], "set[Import]"]
"""What a recipe's packages import, on all its architectures."""

User = tuple[Recipe, GoModulesSpec]
"""A recipe, and what it asks of a set that others may share with it."""


def all_modules(files: SourceFiles, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
    """Everything that the go.sum beside a source's go.mod names.

    A module without its go.mod is left out: the go command never gets as far as its zip.
    """
    file = "go.sum" if spec.directory == "." else f"{spec.directory}/go.sum"
    text = files.read(recipe, spec.source, file, spec.where).decode(errors="replace")
    sums = parse_go_sum(text, f"{spec.source}:{file}")
    modules = {key: h1 for key, h1 in sums.modules.items() if key in sums.mods}
    return GoModuleSet(
        specs=(spec_text(spec),), modules=_triples(modules), mods=_triples(sums.mods)
    )


def shared_modules(files: SourceFiles, users: Sequence[User], imports: Imports) -> GoModuleSet:
    """What all of ``users`` need together; they use one module of one source."""
    recipe, spec = users[0]
    whole = all_modules(files, recipe, spec)
    modules = whole.modules
    if all(wanted.packages for _, wanted in users):
        found = {each for user, wanted in users for each in imports(user, wanted)}
        needed = needed_modules(found, ((path, version) for path, version, _ in modules))
        modules = tuple(module for module in modules if module[:2] in needed)
    return GoModuleSet(specs=asked(users), modules=modules, mods=whole.mods)


def asked(users: Sequence[User]) -> tuple[str, ...]:
    """What the users ask for, as the lock says it."""
    return tuple(sorted({spec_text(spec) for _, spec in users}))


def _triples(sums: Mapping[tuple[str, str], str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((path, version, h1) for (path, version), h1 in sorted(sums.items()))
