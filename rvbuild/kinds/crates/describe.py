"""Crates, told to people."""

from __future__ import annotations

from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.crates.spec import CrateSpec, CratesSpec
from rvbuild.kinds.description import SourceDescription

_PLACES = ("cargo's registry",)


def describe_source(source: Crate | VendoredCrate) -> SourceDescription:
    """What a crate by content is."""
    return SourceDescription(
        kind=source.kind, name=source.label, places=_PLACES, digest=source.sha256
    )


def describe_spec(spec: CrateSpec | CratesSpec) -> SourceDescription:
    """What a recipe asks for."""
    if isinstance(spec, CrateSpec):
        return SourceDescription(kind="crate", name=f"{spec.name} {spec.version}", places=_PLACES)
    return SourceDescription(
        kind="crates", name=f"crates of {spec.source}'s {spec.file}", places=_PLACES
    )
