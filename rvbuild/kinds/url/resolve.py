"""A file's description, to its SHA-256."""

from __future__ import annotations

from typing import Protocol

from attrs import evolve

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.kinds.url.spec import UrlSpec


class FileHashes(Protocol):
    """Finds the SHA-256 of files; see kinds/url/fetch."""

    def resolve(self, source: UrlSource) -> str: ...


def resolve(spec: UrlSpec, context: ResolveContext, client: FileHashes) -> tuple[UrlSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`; a SHA-256 in the recipe asks no server."""
    del context
    debian = DebianFile(package=spec.debian[0], file=spec.debian[1]) if spec.debian else None
    urls = (spec.url,) if spec.url else ()
    source = UrlSource(
        urls=urls, sha256=spec.sha256, strip=spec.strip, unpack=spec.unpack, debian=debian
    )
    return (source if source.sha256 else evolve(source, sha256=client.resolve(source)),)
