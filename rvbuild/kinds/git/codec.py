"""Facts of a commit's tree."""

from __future__ import annotations

from rvbuild.kinds.declaration import DATE, HEX, TEXT, TEXTS, Fact, Kind
from rvbuild.kinds.git.source import GitSource

KINDS = {
    "git": Kind(
        tag="git",
        source=GitSource,
        identity="`tree`, `paths`",
        origin="`url` and mirrors; `commit` and `tree` are recomputed",
        facts=(
            Fact(name="url", form=TEXT),
            Fact(name="commit", form=HEX),
            Fact(name="tag", form=TEXT, optional=True),
            Fact(name="tree", form=HEX),
            Fact(name="date", form=DATE),
            Fact(name="paths", form=TEXTS, optional=True),
        ),
    )
}
