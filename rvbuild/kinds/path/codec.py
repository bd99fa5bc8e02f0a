"""Facts of a folder of this machine."""

from __future__ import annotations

from rvbuild.kinds.declaration import TREE, Fact, Kind
from rvbuild.kinds.path.source import PathSource

KINDS = {
    "path": Kind(
        tag="path",
        source=PathSource,
        identity="`digest`",
        origin="a folder of this machine; refused in a release",
        facts=(Fact(name="digest", form=TREE),),
        former=("path",),  # where the folder was on one machine: the recipe says where it is
    )
}
