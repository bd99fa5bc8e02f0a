"""Go modules and toolchains, as a recipe asks for them."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from rvbuild.core.go_source import GoModule
from rvbuild.core.gomod import is_h1
from rvbuild.core.spec import Comparison, SourceSpec
from rvbuild.kinds.declaration import TEXT, TEXT_SCHEMA, Form, key
from rvbuild.kinds.go.source import GoToolchain


@frozen(kw_only=True)
class GoModuleSpec(SourceSpec):
    """A Go module; ``go_sum`` names a source whose ``go.sum`` must agree."""

    answer = GoModule
    path: str = field(metadata=key("go-module", TEXT))
    version: str = field(metadata=key("version", TEXT))
    go_sum: str = field(default="", metadata=key("go-sum", TEXT))

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.go_sum,) if self.go_sum else ()

    def compare(self, part: GoModule, arch: str) -> Iterator[Comparison]:
        del arch
        yield "path", part.path, self.path
        yield "version", part.version, self.version
        yield _h1(part.h1)


def _go_version(text: str) -> str:
    if text.startswith("go"):
        msg = f"must be a version without 'go': {text.removeprefix('go')}"
        raise ValueError(msg)
    return text


_GO_VERSION = Form(_go_version, str, TEXT_SCHEMA)


@frozen(kw_only=True)
class GoToolchainSpec(SourceSpec):
    """The Go toolchain of a version, for the build machine."""

    answer = GoToolchain
    version: str = field(metadata=key("go-toolchain", _GO_VERSION))

    @property
    def per_machine(self) -> bool:
        return True

    def compare(self, part: GoToolchain, arch: str) -> Iterator[Comparison]:
        yield "version", part.version, self.version
        yield "platform", part.platform, f"linux-{arch}"
        yield _h1(part.h1)


def _h1(h1: str) -> Comparison:
    return "h1", h1, h1 if is_h1(h1) else "h1: and a SHA-256 in base64"


SPECS = {"go-module": GoModuleSpec, "go-toolchain": GoToolchainSpec}
