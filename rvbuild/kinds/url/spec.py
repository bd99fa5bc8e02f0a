"""An archive or a file by URL, as a recipe asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import field, frozen

from rvbuild.core.spec import Comparison, SourceSpec, sha256_comparison
from rvbuild.kinds.declaration import (
    ADDRESS,
    ARCHITECTURE,
    FLAG,
    NUMBER,
    TEXT_SCHEMA,
    Form,
    key,
)
from rvbuild.kinds.url.source import UrlSource


def _sha256(text: str) -> str:
    if not re.fullmatch("(?:[0-9a-f]{64})?", text):
        msg = "must be 64 lower-case hex digits"
        raise ValueError(msg)
    return text


SHA256 = Form(_sha256, str, {"type": "string", "pattern": "^[0-9a-f]{64}$"})
DEBIAN_FILE = Form(
    tuple,
    tuple,
    {
        "type": "object",
        "properties": {"package": TEXT_SCHEMA, "file": TEXT_SCHEMA},
        "required": ["package", "file"],
        "additionalProperties": False,
    },
    members=("package", "file"),
)


@frozen(kw_only=True)
class UrlSpec(SourceSpec):
    """An archive or a file by URL; ``debian`` is (source package, file) with the same bytes.

    ``architecture`` (a Go name) is that of the programs in it, if it is no source text.
    """

    answer = UrlSource
    url: str = field(default="", metadata=key("url", ADDRESS, unless="debian-source"))
    sha256: str = field(default="", metadata=key("sha256", SHA256))
    strip: int = field(default=1, metadata=key("strip", NUMBER))
    unpack: bool = field(default=True, metadata=key("unpack", FLAG))
    debian: tuple[str, str] | None = field(default=None, metadata=key("debian-source", DEBIAN_FILE))
    architecture: str = field(default="", metadata=key("architecture", ARCHITECTURE))

    @property
    def machine(self) -> str:
        return self.architecture

    def compare(self, part: UrlSource, arch: str) -> Iterator[Comparison]:
        del arch
        debian = (part.debian.package, part.debian.file) if part.debian else None
        yield "urls", part.urls, (self.url,) if self.url else ()
        yield "sha256", part.sha256, self.sha256 or sha256_comparison(part.sha256)[2]
        yield "strip", part.strip, self.strip
        yield "unpack", part.unpack, self.unpack
        yield "debian-source", debian, self.debian


SPECS = {"url": UrlSpec}
