"""An archive or a file by URL, told to people."""

from __future__ import annotations

from rvbuild.kinds.description import SourceDescription
from rvbuild.kinds.url.source import UrlSource
from rvbuild.kinds.url.spec import UrlSpec
from rvbuild.transfers.urls import shown


def describe_source(source: UrlSource) -> SourceDescription:
    """What a file by content is."""
    debian = (source.debian.package, source.debian.file) if source.debian else None
    places = _places(source.urls, debian)
    return SourceDescription(kind="url", name=source.label, places=places, digest=source.sha256)


def describe_spec(spec: UrlSpec) -> SourceDescription:
    """What a recipe asks for."""
    places = _places((spec.url,) if spec.url else (), spec.debian)
    name = places[0].rpartition("/")[2].rpartition(" ")[2]
    return SourceDescription(kind="url", name=name, places=places, digest=spec.sha256)


def _places(urls: tuple[str, ...], debian: tuple[str, str] | None) -> tuple[str, ...]:
    mirror = (f"Debian source package {debian[0]}: {debian[1]}",) if debian else ()
    return (*map(shown, urls), *mirror)
