"""A Go toolchain; modules are `rvbuild.core.go_source`, because recipes need whole sets of them."""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.canonical import Json
from rvbuild.core.source import Contents, Source


@frozen(kw_only=True)
class GoToolchain(Source):
    """The module ``golang.org/toolchain@v0.0.1-goVERSION.PLATFORM``.

    Its tree is the GOROOT itself, with the executable bits that the go command sets.
    """

    kind = "go-toolchain"
    version: str
    platform: str
    h1: str

    @property
    def label(self) -> str:
        return f"go{self.version}.{self.platform}"

    @property
    def identity(self) -> Json:
        return {"go-toolchain": [self.version, self.platform, self.h1]}

    @property
    def contents(self) -> Contents:
        return ((("the Go toolchain", self.version, "for", self.platform), self.h1),)

    @property
    def machine(self) -> str:
        return self.platform.rpartition("-")[2]
