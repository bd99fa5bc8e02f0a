"""A commit's description, to its tree and date."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec


class Commits(Protocol):
    """Finds commits; see kinds/git/fetch."""

    def resolve(self, url: str, commit: str, paths: tuple[str, ...]) -> GitSource: ...


def resolve(spec: GitSpec, context: ResolveContext, client: Commits) -> tuple[GitSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    del context
    return (client.resolve(spec.url, spec.commit, spec.paths),)
