"""Sources, told to people: kind, name, digest, and the places that have it.

Knows: what somebody needs who looks for a source. Must not know: locks, stores, how bytes
travel.
"""

from __future__ import annotations

from attrs import evolve, frozen

from rvbuild.core.recipe import (
    DebianSpec,
    FromSpec,
    GitSpec,
    GoModuleSpec,
    GoToolchainSpec,
    PathSpec,
    SourceSpec,
    UrlSpec,
    WheelSpec,
)
from rvbuild.core.source import (
    DebianPackage,
    Files,
    GitSource,
    GoModFiles,
    GoModule,
    GoToolchain,
    PathSource,
    Source,
    UrlSource,
    Wheel,
)
from rvbuild.fetchers.urls import shown

SHORT = 12
"""Digits of a digest that tell people which it is."""

_GO = "GOPROXY"
_INDEX = "the Python package index"


@frozen(kw_only=True)
class SourceDescription:
    """``digest`` is whole, and empty where nobody knows it yet."""

    kind: str
    name: str
    places: tuple[str, ...]
    digest: str = ""

    @property
    def short(self) -> str:
        """As much of the digest as people compare."""
        return (self.digest or "-").rpartition(":")[2][:SHORT]


def describe_source(source: Source) -> SourceDescription:  # noqa: PLR0911 - one return a kind
    """What a source by content is."""
    name = source.label
    match source:
        case UrlSource():
            mirror = source.debian
            debian = (mirror.package, mirror.file) if mirror else None
            places = _url_places(source.urls, debian)
            return SourceDescription(kind="url", name=name, places=places, digest=source.sha256)
        case GitSource():
            place = f"{shown(source.url)} at {source.commit}"
            return SourceDescription(kind="git", name=name, places=(place,), digest=source.tree)
        case GoModule():
            return SourceDescription(kind="go-module", name=name, places=(_GO,), digest=source.h1)
        case GoModFiles():
            return SourceDescription(kind="go-mod-files", name=name, places=(_GO,))
        case GoToolchain():
            return SourceDescription(
                kind="go-toolchain", name=name, places=(_GO,), digest=source.h1
            )
        case Wheel():
            return SourceDescription(kind="pypi", name=name, places=(_INDEX,), digest=source.sha256)
        case DebianPackage():
            place = f"Debian: {source.pool}"
            return SourceDescription(
                kind="debian", name=name, places=(place,), digest=source.sha256
            )
        case PathSource():
            return SourceDescription(
                kind="path", name=name, places=(source.path,), digest=source.digest
            )
        case Files():
            return SourceDescription(kind="recipe", name=name, places=("beside the recipe",))


def describe_spec(spec: SourceSpec) -> SourceDescription:  # noqa: PLR0911 - one return a kind
    """What a recipe asks for, when nobody has found out its content."""
    match spec:
        case UrlSpec():
            urls = (spec.url,) if spec.url else ()
            places = _url_places(urls, spec.debian)
            name = places[0].rpartition("/")[2].rpartition(" ")[2]
            return SourceDescription(kind="url", name=name, places=places, digest=spec.sha256)
        case GitSpec():
            url = shown(spec.url)
            return SourceDescription(kind="git", name=url, places=(f"{url} at {spec.commit}",))
        case GoModuleSpec():
            name = f"{spec.path}@{spec.version}"
            return SourceDescription(kind="go-module", name=name, places=(_GO,))
        case GoToolchainSpec():
            return SourceDescription(kind="go-toolchain", name=f"go{spec.version}", places=(_GO,))
        case WheelSpec():
            name = f"{spec.project} {spec.version}"
            return SourceDescription(kind="pypi", name=name, places=(_INDEX,))
        case DebianSpec():
            name = " ".join(spec.packages)
            return SourceDescription(kind="debian", name=name, places=(f"Debian {spec.suite}",))
        case PathSpec():
            return SourceDescription(kind="path", name=spec.path, places=(spec.path,))
        case FromSpec():
            return SourceDescription(kind="from", name=spec.recipe, places=())


def describe_bundle(spec: SourceSpec, count: int) -> SourceDescription:
    """A source of many packages."""
    return evolve(describe_spec(spec), name=f"{count} packages")


def describe_modules(recipe: str) -> SourceDescription:
    """The Go modules that a recipe needs, when nobody has found out which."""
    return SourceDescription(kind="go-module", name=f"modules of {recipe}", places=(_GO,))


def _url_places(urls: tuple[str, ...], debian: tuple[str, str] | None) -> tuple[str, ...]:
    urls = tuple(map(shown, urls))
    mirror = (f"Debian source package {debian[0]}: {debian[1]}",) if debian else ()
    return (*urls, *mirror)
