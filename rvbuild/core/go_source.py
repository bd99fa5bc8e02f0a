"""The sources of a set of Go modules, which recipes ask for with ``inputs.go-modules``.

Knows: what a module cache is made of. Must not know: proxies, how one is fetched.
"""

from __future__ import annotations

from attrs import evolve, field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.gomod import parse_go_sum
from rvbuild.core.source import Source, Thing

MODULE = "the Go module"


@frozen(kw_only=True, order=True)
class GoModule(Source):
    """A module zip, checked by ``h1`` (``h1:`` and base64, as in go.sum).

    Its tree is the module's own folder, without the ``PATH@VERSION/`` prefix of the zip.
    """

    kind = "go-module"
    many = "go modules"
    path: str
    version: str
    h1: str

    @property
    def label(self) -> str:
        return f"{self.path}@{self.version}"

    @property
    def identity(self) -> Json:
        return {"go-module": [self.path, self.version, self.h1]}

    @property
    def content(self) -> tuple[Thing, object]:
        return (MODULE, self.path, self.version), self.h1


@frozen(kw_only=True)
class GoModFiles(Source):
    """The ``cache/download`` part of a GOMODCACHE, without any zip.

    For each go.mod file of a go.sum its ``.mod``; for each of ``modules`` (path, version,
    h1 of the zip; sorted) also ``.info`` and ``.ziphash``. The tree's root is what
    ``GOMODCACHE`` names.

    Attributes:
        go_sum: The SHA-256 of the go.sum, in hex.
        modules: The modules whose zips are needed.
        text: The go.sum itself; only there while it is fetched, and no part of the identity.
    """

    kind = "go-mod-files"
    go_sum: str
    modules: tuple[tuple[str, str, str], ...]
    text: bytes = field(default=b"", eq=False, repr=False)

    @property
    def label(self) -> str:
        return f"go.mod files of go.sum {self.go_sum[:12]}"

    @property
    def identity(self) -> Json:
        return {"go-mod-files": [self.go_sum, list(map(list, self.modules))]}

    @property
    def former_identity(self) -> Json:
        """Version 1 named each go.mod file: the source must have its go.sum's text."""
        sums = parse_go_sum(self.text.decode(errors="replace"))
        mods = [[path, version, h1] for (path, version), h1 in sorted(sums.mods.items())]
        return {"go-mod-files": [mods, list(map(list, self.modules))]}

    def with_file(self, data: bytes) -> GoModFiles:
        return evolve(self, text=data)
