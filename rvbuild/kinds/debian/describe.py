"""Packages of Debian, told to people."""

from __future__ import annotations

from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.description import SourceDescription


def describe_source(source: DebianPackage) -> SourceDescription:
    """What a package by content is."""
    place = f"Debian: {source.pool}"
    return SourceDescription(
        kind="debian", name=source.label, places=(place,), digest=source.sha256
    )


def describe_spec(spec: DebianSpec) -> SourceDescription:
    """What a recipe asks for."""
    name = " ".join(spec.packages)
    return SourceDescription(kind="debian", name=name, places=(f"Debian {spec.suite}",))
