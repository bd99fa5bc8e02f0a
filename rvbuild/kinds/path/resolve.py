"""A folder's description, to the digest of its tree."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec


class Folders(Protocol):
    """Finds the digests of folders; see kinds/path/fetch."""

    def resolve(self, path: str) -> PathSource: ...


def resolve(spec: PathSpec, context: ResolveContext, client: Folders) -> tuple[PathSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    return (client.resolve(spec.place(context.folder)),)
