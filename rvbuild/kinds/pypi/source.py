"""A wheel, by its SHA-256."""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.canonical import Json
from rvbuild.core.source import Contents, Source


@frozen(kw_only=True)
class Wheel(Source):
    """A file of a Python package index, unpacked."""

    kind = "pypi"
    project: str
    version: str
    filename: str
    sha256: str

    @property
    def label(self) -> str:
        return self.filename

    @property
    def identity(self) -> Json:
        return {"wheel": self.sha256}

    @property
    def contents(self) -> Contents:
        return ((("the wheel", self.filename), self.sha256),)

    @property
    def machine(self) -> str:
        rows = ARCHITECTURES.values()
        return next((row.name for row in rows if self.filename.endswith(f"_{row.machine}.whl")), "")
