"""A wheel, told to people."""

from __future__ import annotations

from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec

_PLACES = ("the Python package index",)


def describe_source(source: Wheel) -> SourceDescription:
    """What a wheel by content is."""
    return SourceDescription(kind="pypi", name=source.label, places=_PLACES, digest=source.sha256)


def describe_spec(spec: WheelSpec) -> SourceDescription:
    """What a recipe asks for."""
    return SourceDescription(kind="pypi", name=f"{spec.project} {spec.version}", places=_PLACES)
