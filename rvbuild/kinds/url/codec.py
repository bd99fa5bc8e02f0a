"""Facts of an archive or a file by URL."""

from __future__ import annotations

from rvbuild.kinds.declaration import FLAG, HEX, NUMBER, TEXT_SCHEMA, TEXTS, Fact, Form, Kind
from rvbuild.kinds.url.source import DebianFile, UrlSource


def _debian_file(texts: tuple[str, ...]) -> DebianFile | None:
    if not texts:
        return None
    if len(texts) != 2:
        msg = "must be a package and a file"
        raise ValueError(msg)
    return DebianFile(package=texts[0], file=texts[1])


def _shown(file: DebianFile | None) -> tuple[str, ...]:
    return (file.package, file.file) if file else ()


_DEBIAN_FILE = Form(
    _debian_file,
    _shown,
    {"type": "array", "items": TEXT_SCHEMA, "minItems": 2, "maxItems": 2},
    many=True,
)
KINDS = {
    "url": Kind(
        tag="url",
        source=UrlSource,
        identity="`sha256` with `strip`, or with the file's name if `unpack` is false",
        origin="`urls`, mirrors, and `debian-source` (source package, file)",
        facts=(
            Fact(name="sha256", form=HEX),
            Fact(name="urls", form=TEXTS, optional=True),
            Fact(name="strip", form=NUMBER),
            Fact(name="unpack", form=FLAG),
            Fact(name="debian-source", form=_DEBIAN_FILE, attribute="debian", optional=True),
        ),
    )
}
