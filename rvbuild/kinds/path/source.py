"""A folder of this machine, by the digest of its tree."""

from __future__ import annotations

from attrs import field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.source import Source


@frozen(kw_only=True)
class PathSource(Source):
    """A folder of this machine, read when it is fetched.

    Attributes:
        digest: Its tree.
        path: Where it is on this machine. It is empty in what a lock has: a lock goes to other
            machines, and the recipe says where the folder is (`PathSpec.located`).
    """

    kind = "path"
    digest: str = field(default="")
    path: str = field(default="", eq=False)

    @property
    def label(self) -> str:
        return self.path.rstrip("/").rsplit("/", 1)[-1] or self.path or "a folder"

    @property
    def identity(self) -> Json:
        return {"path": self.digest}

    @property
    def folder(self) -> str:
        return self.path
