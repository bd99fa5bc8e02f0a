"""What a repository has for a tag or a commit that a recipe names: its tags, its default branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.version_listing import CommitsBehind, VersionListing
from rvbuild.kinds.git.spec import GitSpec, is_tag


class Refs(Protocol):
    """What a repository has; see rvbuild.git.upstream_refs."""

    @property
    def tags(self) -> Mapping[str, str]: ...

    @property
    def branch(self) -> str: ...


class RefsClient(Protocol):
    """Asks repositories; see kinds/git/fetch."""

    def refs(self, url: str) -> Refs: ...

    def moments(self, refs: Refs, tags: Sequence[str]) -> Mapping[str, int]: ...

    def commits_behind(self, refs: Refs, commit: str) -> int | None: ...


def version_word(spec: GitSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return "tag" if spec.tag else "commit"


def upstream(spec: GitSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return spec.url


def ask(spec: GitSpec, context: ResolveContext, client: RefsClient) -> VersionListing:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    del context
    refs = client.refs(spec.url)

    def behind(commit: str) -> CommitsBehind | None:
        count = client.commits_behind(refs, commit)
        return None if count is None else CommitsBehind(branch=refs.branch, count=count)

    return VersionListing(
        versions=tuple(filter(is_tag, refs.tags)),
        moments=partial(client.moments, refs),
        commits=refs.tags,
        behind=behind,
    )
