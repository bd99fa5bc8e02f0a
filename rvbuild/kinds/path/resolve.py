"""A folder's description, to the digest of its tree."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.errors import LockError
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec


class Folders(Protocol):
    """Finds the digests of folders; see kinds/path/fetch."""

    def resolve(self, path: str) -> PathSource: ...


def resolve(spec: PathSpec, context: ResolveContext, client: Folders) -> tuple[PathSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`.

    Raises:
        LockError: no lock can hold the folder's path.
    """
    source = client.resolve(f"{context.folder}/{spec.path}")
    try:
        source.path.encode()
    except UnicodeEncodeError:
        msg = f"the path of a folder must be UTF-8 to stand in a lock: {source.path!a}"
        hint = "give the folders above it other names"
        raise LockError(msg, where=context.where, hint=hint) from None
    return (source,)
