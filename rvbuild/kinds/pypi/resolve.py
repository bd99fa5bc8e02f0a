"""A wheel's description, to the file that fits the build machine."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec


class Wheels(Protocol):
    """Finds wheels; see kinds/pypi/fetch."""

    def resolve(self, project: str, version: str, arch: str) -> Wheel: ...


def resolve(spec: WheelSpec, context: ResolveContext, client: Wheels) -> tuple[Wheel, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    return (client.resolve(spec.project, spec.version, context.build_arch),)
