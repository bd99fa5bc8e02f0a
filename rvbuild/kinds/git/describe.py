"""A commit's tree, told to people."""

from __future__ import annotations

from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.transfers.urls import shown


def describe_source(source: GitSource) -> SourceDescription:
    """What a tree by content is."""
    return SourceDescription(
        kind="git",
        name=source.label,
        places=(_place(source),),
        digest=source.tree,
        tag=source.tag,
    )


def describe_spec(spec: GitSpec) -> SourceDescription:
    """What a recipe asks for."""
    return SourceDescription(kind="git", name=shown(spec.url), places=(_place(spec),), tag=spec.tag)


def _place(wanted: GitSource | GitSpec) -> str:
    """A commit alone, with the tag that names it, or a tag whose commit nobody looked up."""
    commit = f"({wanted.commit})" if wanted.tag and wanted.commit else wanted.commit
    tag = f"tag {wanted.tag}" if wanted.tag else ""
    return " ".join(filter(None, (shown(wanted.url), "at", tag, commit)))
