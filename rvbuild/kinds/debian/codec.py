"""Facts of a binary package; they stand once, whichever toolboxes have it."""

from __future__ import annotations

from rvbuild.core.source import DebianPackage
from rvbuild.kinds.declaration import HEX, NUMBER, TEXT, Fact, Kind, Section

KINDS = {
    "debian": Kind(
        tag="debian",
        source=DebianPackage,
        identity="`sha256`",
        origin="the user's apt sources, at `pool`",
        facts=(
            Fact(name="name", form=TEXT),
            Fact(name="version", form=TEXT),
            Fact(name="architecture", form=TEXT),
            Fact(name="pool", form=TEXT),
            Fact(name="sha256", form=HEX),
            Fact(name="size", form=NUMBER),
        ),
        section=Section(name="debian-packages", key=("name", "version", "architecture")),
    )
}
