"""A binary package of Debian, by its SHA-256."""

from __future__ import annotations

from attrs import field, frozen

from rvbuild.core.architecture import named
from rvbuild.core.canonical import Json
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Contents, Source


@frozen(kw_only=True, order=True)
class DebianPackage(Source):
    """A binary package; its tree is what ``dpkg-deb -x`` gives.

    Attributes:
        pool: Its path below a mirror (``pool/main/…``).
        snapshot: When an index named it. It says where else the bytes are, not which they are.
    """

    kind = "debian"
    many = "debian packages"
    name: str
    version: str
    architecture: str
    pool: str
    sha256: str
    size: int
    snapshot: Snapshot | None = field(default=None, eq=False)

    @property
    def label(self) -> str:
        return f"{self.name}_{self.version}_{self.architecture}.deb"

    @property
    def identity(self) -> Json:
        return {"deb": self.sha256}

    @property
    def contents(self) -> Contents:
        return ((("the package", self.label), f"{self.sha256}, {self.size} bytes"),)

    @property
    def machine(self) -> str:
        row = named(self.architecture)
        return row.name if row else self.architecture
