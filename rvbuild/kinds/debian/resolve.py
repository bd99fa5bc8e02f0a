"""Packages' description, to each package of their closure."""

from __future__ import annotations

import re
from typing import Protocol

from rvbuild.core.lock import LockedSource
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.spec_text import flow_scalar
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec


class Packages(Protocol):
    """Finds packages with all that they need; see kinds/debian/fetch."""

    def resolve(
        self,
        names: tuple[str, ...],
        suite: str,
        arch: str,
        without: tuple[str, ...],
        earlier: Snapshot | None,
    ) -> tuple[DebianPackage, ...]: ...


def resolve(
    spec: DebianSpec, context: ResolveContext, client: Packages
) -> tuple[DebianPackage, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    arch = spec.architecture or context.build_arch
    earlier = _made(context.earlier, spec.suite)
    return client.resolve(spec.packages, spec.suite, arch, spec.without, earlier)


def _made(earlier: LockedSource | None, suite: str) -> Snapshot | None:
    """When the index of ``suite`` was made that a lock has packages from."""
    of_suite = rf", suite: {re.escape(flow_scalar(suite))}[,}}]"  # as core.spec_text writes it
    return earlier.snapshot if earlier and re.search(of_suite, earlier.spec) else None
