"""What a module proxy has for a module or a toolchain that a recipe names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec


class ModuleVersions(Protocol):
    """Lists versions; see kinds/go/versions."""

    def module(self, path: str) -> tuple[str, ...]: ...

    def module_moments(self, path: str, versions: Sequence[str]) -> Mapping[str, int]: ...

    def toolchain(self, platform: str) -> tuple[str, ...]: ...

    def toolchain_moments(self, platform: str, versions: Sequence[str]) -> Mapping[str, int]: ...


class VersionsClient(Protocol):
    """See kinds/go/fetch."""

    @property
    def versions(self) -> ModuleVersions: ...


def version_word(spec: GoModuleSpec | GoToolchainSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return "version" if isinstance(spec, GoModuleSpec) else "go-toolchain"


def upstream(spec: GoModuleSpec | GoToolchainSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return spec.path if isinstance(spec, GoModuleSpec) else "go"


def ask(
    spec: GoModuleSpec | GoToolchainSpec, context: ResolveContext, client: VersionsClient
) -> VersionListing:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    versions = client.versions
    if isinstance(spec, GoModuleSpec):
        listed, moments = versions.module(spec.path), partial(versions.module_moments, spec.path)
        return VersionListing(versions=listed, moments=moments)
    platform = f"linux-{context.build_arch}"
    moments = partial(versions.toolchain_moments, platform)
    return VersionListing(versions=versions.toolchain(platform), moments=moments)
