"""Go modules and toolchains, told to people."""

from __future__ import annotations

from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.recipe import GoModulesSpec
from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec

_PLACES = ("GOPROXY",)


def describe_source(source: GoModule | GoModFiles | GoToolchain) -> SourceDescription:
    """What a module, a toolchain or a set of go.mod files by content is."""
    digest = "" if isinstance(source, GoModFiles) else source.h1
    return SourceDescription(kind=source.kind, name=source.label, places=_PLACES, digest=digest)


def describe_spec(spec: GoModuleSpec | GoToolchainSpec | GoModulesSpec) -> SourceDescription:
    """What a recipe asks for; a set of modules is named by the source that needs them."""
    if isinstance(spec, GoToolchainSpec):
        return SourceDescription(kind="go-toolchain", name=f"go{spec.version}", places=_PLACES)
    if isinstance(spec, GoModuleSpec):
        name = f"{spec.path}@{spec.version}"
    else:
        name = f"modules of {spec.source}"
    return SourceDescription(kind="go-module", name=name, places=_PLACES)
