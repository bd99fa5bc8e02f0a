"""Packages' description, to each package of their closure."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec


class Packages(Protocol):
    """Finds packages with all that they need; see kinds/debian/fetch."""

    def resolve(
        self, names: tuple[str, ...], suite: str, arch: str, without: tuple[str, ...]
    ) -> tuple[DebianPackage, ...]: ...


def resolve(
    spec: DebianSpec, context: ResolveContext, client: Packages
) -> tuple[DebianPackage, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    arch = spec.architecture or context.build_arch
    return client.resolve(spec.packages, spec.suite, arch, spec.without)
