"""Go modules and toolchains, as a recipe asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import field, frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.go_source import GoModule
from rvbuild.core.gomod import is_module_path, is_module_version
from rvbuild.core.gosum import is_h1
from rvbuild.core.place import Place
from rvbuild.core.spec import Comparison, SourceFile, SourceSpec
from rvbuild.kinds.declaration import TEXT, TEXT_SCHEMA, Form, key
from rvbuild.kinds.go.source import GoToolchain

GO_SUM = "go.sum"
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def _module_path(text: str) -> str:
    if not is_module_path(_VARIABLE.sub("x", text)):
        msg = f"is not a module's path: {text!r}"
        raise ValueError(msg)
    return text


def _module_version(text: str) -> str:
    if not _VARIABLE.search(text) and not is_module_version(text):
        near = f"; did you mean 'v{text}'?" if is_module_version(f"v{text}") else ""
        msg = f"is not a module's version: {text!r}{near}"
        raise ValueError(msg)
    return text


_MODULE_PATH = Form(_module_path, str, TEXT_SCHEMA, hint="for example: github.com/BurntSushi/toml")
_MODULE_VERSION = Form(
    _module_version,
    str,
    TEXT_SCHEMA,
    hint="all of it, as a go.mod has it: v1.2.3, or v0.0.0-20240131235959-4bd7e9c1f0aa",
)


@frozen(kw_only=True)
class GoModuleSpec(SourceSpec):
    """A Go module; ``go_sum`` names a source whose ``go.sum`` must agree."""

    answer = GoModule
    path: str = field(metadata=key("go-module", _MODULE_PATH))
    version: str = field(metadata=key("version", _MODULE_VERSION))
    go_sum: str = field(default="", metadata=key("go-sum", TEXT))

    @property
    def reads(self) -> tuple[SourceFile, ...]:
        return ((self.go_sum, GO_SUM),) if self.go_sum else ()

    def check(self, where: Place | None) -> None:
        """See that it is a module's, now that its variables have values.

        Raises:
            RecipeError: it is not.
        """
        for text, form in ((self.path, _MODULE_PATH), (self.version, _MODULE_VERSION)):
            try:
                form.parse(text)
            except ValueError as cause:
                msg = f"it {cause}"
                raise RecipeError(msg, where=where, hint=form.hint) from cause

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
