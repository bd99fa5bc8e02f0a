"""Sources' descriptions, to sources by content.

Knows: what to ask the registries for each kind. Must not know: how they answer, locks.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from rvbuild.core.errors import LockError, RecipeError, RvbuildError
from rvbuild.core.go_source import GoModule
from rvbuild.core.gomod import parse_go_sum
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.kinds.url.spec import UrlSpec


class Registries(Protocol):
    """Asks the outside what a description stands for; see rvbuild.fetchers."""

    def git(self, url: str, commit: str, paths: tuple[str, ...]) -> GitSource: ...

    def go_module(self, path: str, version: str) -> str:
        """The module's h1."""
        ...

    def go_toolchain(self, version: str, platform: str) -> str: ...

    def wheel(self, project: str, version: str, arch: str) -> Source: ...

    def debian(
        self, packages: tuple[str, ...], suite: str, arch: str, without: tuple[str, ...]
    ) -> tuple[Source, ...]: ...

    def url(self, urls: tuple[str, ...], debian: DebianFile | None) -> str:
        """The SHA-256 of the file."""
        ...

    def path(self, path: str) -> PathSource: ...


@frozen
class SourceFinder:
    """Finds what descriptions stand for.

    Attributes:
        registries: The outside.
        files: Other sources' files, for their ``go.sum``.
        build_arch: The build machine's architecture.
    """

    registries: Registries
    files: SourceFiles
    build_arch: str

    def parts(self, recipe: Recipe, spec: SourceSpec, where: Place | None) -> tuple[Source, ...]:
        """The sources that ``spec`` of ``recipe`` stands for.

        Raises:
            RvbuildError: it could not be found; ``details`` ends with the place that asks.
        """
        try:
            return self._parts(recipe, spec, where)
        except RvbuildError as error:
            error.details = (*error.details, f"asked for at {where}")
            raise

    def _parts(  # noqa: PLR0911 - one return a kind
        self, recipe: Recipe, spec: SourceSpec, where: Place | None
    ) -> tuple[Source, ...]:
        ask = self.registries
        match spec:
            case GitSpec():
                return (ask.git(spec.url, spec.commit, spec.paths),)
            case GoModuleSpec():
                return (self._go_module(recipe, spec, where),)
            case GoToolchainSpec():
                platform = f"linux-{self.build_arch}"
                h1 = ask.go_toolchain(spec.version, platform)
                return (GoToolchain(version=spec.version, platform=platform, h1=h1),)
            case WheelSpec():
                return (ask.wheel(spec.project, spec.version, self.build_arch),)
            case DebianSpec():
                arch = spec.architecture or self.build_arch
                return ask.debian(spec.packages, spec.suite, arch, spec.without)
            case UrlSpec():
                return (self._url(spec),)
            case PathSpec():
                folder = recipe.file.rsplit("/", 1)[0]
                return (_writable(ask.path(f"{folder}/{spec.path}"), where),)
        msg = f"no way to lock a {type(spec).__name__}"
        raise RecipeError(msg, where=where)

    def _go_module(self, recipe: Recipe, spec: GoModuleSpec, where: Place | None) -> GoModule:
        h1 = self._in_go_sum(recipe, spec, where) if spec.go_sum else ""
        return GoModule(
            path=spec.path,
            version=spec.version,
            h1=h1 or self.registries.go_module(spec.path, spec.version),
        )

    def _in_go_sum(self, recipe: Recipe, spec: GoModuleSpec, where: Place | None) -> str:
        text = self.files.read(recipe, spec.go_sum, "go.sum", where).decode(errors="replace")
        sums = parse_go_sum(text, f"{spec.go_sum}:go.sum")
        try:
            return sums.modules[spec.path, spec.version]
        except KeyError:
            msg = f"{spec.go_sum}'s go.sum does not have {spec.path} {spec.version}"
            raise LockError(msg, where=where) from None

    def _url(self, spec: UrlSpec) -> UrlSource:
        mirror = spec.debian
        debian = DebianFile(package=mirror[0], file=mirror[1]) if mirror else None
        urls = (spec.url,) if spec.url else ()
        sha256 = spec.sha256 or self.registries.url(urls, debian)
        return UrlSource(
            urls=urls, sha256=sha256, strip=spec.strip, unpack=spec.unpack, debian=debian
        )


def _writable(source: PathSource, where: Place | None) -> PathSource:
    """A folder whose path a lock can hold."""
    try:
        source.path.encode()
    except UnicodeEncodeError:
        msg = f"the path of a folder must be UTF-8 to stand in a lock: {source.path!a}"
        raise LockError(msg, where=where, hint="give the folders above it other names") from None
    return source
