"""The sources of a set of Go modules, which recipes ask for with ``inputs.go-modules``.

Knows: what a module cache is made of. Must not know: proxies, how one is fetched.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_mod_changes import UNCHANGED, GoModChanges
from rvbuild.core.source import Contents, Source
from rvbuild.core.spec import SourceSpec

MODULE = "the Go module"
INSTEAD = "cache/instead"
"""Where a module cache has files that stand instead of the main module's; no module lies there."""


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
    def contents(self) -> Contents:
        return (((MODULE, self.path, self.version), self.h1),)


@frozen(kw_only=True)
class GoModFiles(Source):
    """The ``cache/download`` part of a GOMODCACHE, without any zip.

    For each go.mod file that lines of a go.sum name its ``.mod``; for each of ``modules`` (path,
    version, h1 of the zip; sorted) also ``.info`` and ``.ziphash``. The tree's root is what
    ``GOMODCACHE`` names.

    Attributes:
        go_sum: The digest of those lines (`rvbuild.core.go_graph.sums_digest`), in hex.
        modules: The modules whose zips are needed.
        in_workspace: Whether they are lines of a workspace's files; no part of the identity.
        changes: What stands instead of what the main module's files say. If there are any,
            ``cache/instead`` has the go.mod and the go.sum that the go command is to read.
        main: Whose go.sum it is; only there while it is fetched, and no part of the identity.
    """

    kind = "go-mod-files"
    go_sum: str
    modules: tuple[tuple[str, str, str], ...]
    in_workspace: bool = field(default=False, eq=False)
    changes: GoModChanges = UNCHANGED
    main: MainModule | None = field(default=None, eq=False, repr=False)

    @property
    def label(self) -> str:
        return f"go.mod files of go.sum {self.go_sum[:12]}"

    @property
    def identity(self) -> Json:
        facts: list[Json] = [self.go_sum, list(map(list, self.modules))]
        if self.changes:
            changes = (self.changes.statements, self.changes.sums, self.changes.offered)
            facts += map(list, changes)
        return {"go-mod-files": facts}

    @property
    def former_identity(self) -> Json:
        """Version 1 named each go.mod file of the go.sum, so ``main`` must be there."""
        sums = {} if self.main is None else self.main.sums().mods
        mods = [[path, version, h1] for (path, version), h1 in sorted(sums.items())]
        return {"go-mod-files": [mods, list(map(list, self.modules))]}

    def with_files(self, read: Callable[[str], bytes | None], folder: str) -> GoModFiles:
        main = MainModule(self.label, read, folder, self.in_workspace, self.changes)
        return evolve(self, main=main)


@frozen(kw_only=True)
class GoModFilesSpec(SourceSpec):
    """All that the graph of a module can need of its go.sum; no recipe says this.

    The answer has the digest of the needed lines, and each module of them. ``main`` may be
    dropped from it: nobody fetches that answer.

    ``discover``: it has also the lines of go.mod files that no go.sum has and the go command may
    read (`rvbuild.core.go_graph.needed_sums`), as what is offered.
    """

    answer = GoModFiles
    main: MainModule
    discover: bool = False


@frozen(kw_only=True)
class SeenModuleSpec(SourceSpec):
    """A module that no go.sum knows, as it is there now; no recipe says this.

    ``file`` is ``/go.mod`` where the answer has the ``h1:`` of its go.mod instead of its zip's.
    """

    answer = GoModule
    path: str
    version: str
    file: str = ""


@frozen(kw_only=True)
class SeenLinesSpec(SourceSpec):
    """Lines that no go.sum had before: does the rest of the world see the same?

    No recipe says this. It is an error if it does not. The answer has the lines that nobody was
    asked about; where a line is about a go.mod, ``version`` ends so: ``v1.0.0/go.mod``.
    """

    answer = GoModule
    lines: tuple[str, ...]
