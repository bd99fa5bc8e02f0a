"""Facts of a wheel."""

from __future__ import annotations

from rvbuild.kinds.declaration import HEX, TEXT, Fact, Kind
from rvbuild.kinds.pypi.source import Wheel

KINDS = {
    "pypi": Kind(
        tag="pypi",
        source=Wheel,
        identity="`sha256`",
        origin="the user's package indexes, by project and file name",
        facts=(
            Fact(name="project", form=TEXT),
            Fact(name="version", form=TEXT),
            Fact(name="file", form=TEXT, attribute="filename"),
            Fact(name="sha256", form=HEX),
        ),
    )
}
