"""Facts of a crate; the checksum of one that others are built with stands once."""

from __future__ import annotations

from rvbuild.core.semver import SemanticVersion
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.declaration import HEX, TEXT, Fact, Kind, Section

_FACTS = (
    Fact(name="name", form=TEXT),
    Fact(name="version", form=TEXT),
    Fact(name="sha256", form=HEX),
)
_IDENTITY = "`name`, `version`, `sha256`"
_ORIGIN = "the registry that the user's cargo configuration names"

KINDS = {
    "crate": Kind(tag="crate", source=Crate, facts=_FACTS, identity=_IDENTITY, origin=_ORIGIN),
    "crates": Kind(
        tag="crates",
        source=VendoredCrate,
        facts=_FACTS,
        identity=_IDENTITY,
        origin=_ORIGIN,
        section=Section(name="crates", key=("name", "version")),
        name=("name",),
        order=SemanticVersion.parse,
    ),
}
