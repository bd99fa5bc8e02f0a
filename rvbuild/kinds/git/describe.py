"""A commit's tree, told to people."""

from __future__ import annotations

from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.transfers.urls import shown


def describe_source(source: GitSource) -> SourceDescription:
    """What a tree by content is."""
    place = f"{shown(source.url)} at {source.commit}"
    return SourceDescription(kind="git", name=source.label, places=(place,), digest=source.tree)


def describe_spec(spec: GitSpec) -> SourceDescription:
    """What a recipe asks for."""
    url = shown(spec.url)
    return SourceDescription(kind="git", name=url, places=(f"{url} at {spec.commit}",))
