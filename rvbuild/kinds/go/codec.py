"""Facts of a Go module, and of a toolchain; a module's ``h1`` stands once, whoever names it."""

from __future__ import annotations

from rvbuild.core.go_source import GoModule
from rvbuild.core.semver import SemanticVersion
from rvbuild.kinds.declaration import TEXT, Fact, Kind, Section
from rvbuild.kinds.go.source import GoToolchain

KINDS = {
    "go-module": Kind(
        tag="go-module",
        source=GoModule,
        identity="`path`, `version`, `h1`",
        origin="the user's GOPROXY",
        facts=(
            Fact(name="path", form=TEXT),
            Fact(name="version", form=TEXT),
            Fact(name="h1", form=TEXT),
        ),
        section=Section(name="go-modules", key=("path", "version")),
        name=("path",),
        order=SemanticVersion.parse,
    ),
    "go-toolchain": Kind(
        tag="go-toolchain",
        source=GoToolchain,
        identity="`version`, `platform`, `h1`",
        origin="the user's GOPROXY",
        facts=(
            Fact(name="version", form=TEXT),
            Fact(name="platform", form=TEXT),
            Fact(name="h1", form=TEXT),
        ),
    ),
}
