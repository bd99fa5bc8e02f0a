"""A folder of this machine, told to people."""

from __future__ import annotations

from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec


def describe_source(source: PathSource) -> SourceDescription:
    """What a folder by content is."""
    places = (source.path,) if source.path else ()
    return SourceDescription(
        kind="path", name=source.label, places=places, digest=source.digest, here=True
    )


def describe_spec(spec: PathSpec) -> SourceDescription:
    """What a recipe asks for."""
    return SourceDescription(kind="path", name=spec.path, places=(spec.path,), here=True)
