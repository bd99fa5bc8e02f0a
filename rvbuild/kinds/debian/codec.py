"""Facts of a binary package; they stand once, whichever toolboxes have it.

An index names all packages of an entry, so the entry has the index's date, and two branches that
lock at different times do not meet in the packages' lines.
"""

from __future__ import annotations

from rvbuild.core.component import Rank
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.declaration import HEX, NUMBER, TEXT, Fact, Form, Kind, Section, Text


def _snapshot(text: Text) -> Snapshot | None:
    return None if isinstance(text, tuple) else Snapshot.parse(text)


def _rank(version: str) -> Rank:
    """The place of a version among others."""
    from rvbuild.kinds.debian.version_order import version_key  # noqa: PLC0415 - few runs compare

    return version_key(version)


_SNAPSHOT = Form(
    _snapshot,
    lambda snapshot: str(snapshot) if snapshot else "",
    {"type": "string", "pattern": "^[0-9]{8}T[0-9]{6}Z$"},
)
KINDS = {
    "debian": Kind(
        tag="debian",
        source=DebianPackage,
        identity="`sha256`",
        origin="the user's apt sources, at `pool`; then the snapshot archive, of `snapshot`",
        facts=(
            Fact(name="name", form=TEXT),
            Fact(name="version", form=TEXT),
            Fact(name="architecture", form=TEXT),
            Fact(name="pool", form=TEXT),
            Fact(name="sha256", form=HEX),
            Fact(name="size", form=NUMBER),
        ),
        section=Section(name="debian-packages", key=("name", "version", "architecture")),
        name=("name", "architecture"),
        order=_rank,
        entry=(Fact(name="snapshot", form=_SNAPSHOT, optional=True),),
    )
}
