"""Descriptions of Go modules and toolchains, to the hashes of their zips."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.errors import LockError
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import (
    GoModFiles,
    GoModFilesSpec,
    GoModule,
    SeenLinesSpec,
    SeenModuleSpec,
)
from rvbuild.core.gosum import parse_go_sum
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GO_SUM, GoModuleSpec, GoToolchainSpec


class GoHashes(Protocol):
    """Finds the ``h1:`` of what a proxy has; see kinds/go/fetch."""

    def go_module(self, path: str, version: str) -> str: ...

    def go_mod(self, path: str, version: str) -> str: ...

    def go_toolchain(self, version: str, platform: str) -> str: ...

    def go_mod_files(self, main: MainModule, *, discover: bool) -> GoModFiles: ...

    def check_first_seen(self, lines: tuple[str, ...]) -> tuple[str, ...]: ...


def resolve(
    spec: GoModuleSpec | GoToolchainSpec | GoModFilesSpec | SeenModuleSpec | SeenLinesSpec,
    context: ResolveContext,
    client: GoHashes,
) -> tuple[Source, ...]:
    """See `rvbuild.core.ports.registries.Registries`.

    Raises:
        RecipeError: there can be no such module.
        LockError: the go.sum that must agree does not have the module, or is not valid.
    """
    if isinstance(spec, GoModFilesSpec):
        return (client.go_mod_files(spec.main, discover=spec.discover),)
    if isinstance(spec, SeenLinesSpec):
        words = (line.split(" ") for line in client.check_first_seen(spec.lines))
        return tuple(GoModule(path=path, version=name, h1=h1) for path, name, h1 in words)
    if isinstance(spec, SeenModuleSpec):
        seen = client.go_mod if spec.file else client.go_module
        h1 = seen(spec.path, spec.version)
        return (GoModule(path=spec.path, version=spec.version, h1=h1),)
    if isinstance(spec, GoToolchainSpec):
        platform = f"linux-{context.build_arch}"
        h1 = client.go_toolchain(spec.version, platform)
        return (GoToolchain(version=spec.version, platform=platform, h1=h1),)
    spec.check(context.where)
    h1 = _in_go_sum(spec, context) if spec.go_sum else client.go_module(spec.path, spec.version)
    return (GoModule(path=spec.path, version=spec.version, h1=h1),)


def _in_go_sum(spec: GoModuleSpec, context: ResolveContext) -> str:
    text = context.read(spec.go_sum, GO_SUM).decode(errors="replace")
    sums = parse_go_sum(text, f"{spec.go_sum}:{GO_SUM}")
    try:
        return sums.modules[spec.path, spec.version]
    except KeyError:
        msg = f"{spec.go_sum}'s go.sum does not have {spec.path} {spec.version}"
        raise LockError(msg, where=context.where) from None
