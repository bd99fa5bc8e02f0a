"""A folder of this machine, by the digest of its tree."""

from __future__ import annotations

from attrs import field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.source import Source


@frozen(kw_only=True)
class PathSource(Source):
    """A folder of this machine, captured when the build starts; ``digest`` is its tree."""

    kind = "path"
    path: str
    digest: str = field(default="")

    @property
    def label(self) -> str:
        return self.path.rstrip("/").rsplit("/", 1)[-1] or "/"

    @property
    def identity(self) -> Json:
        return {"path": self.digest}

    @property
    def folder(self) -> str:
        return self.path
