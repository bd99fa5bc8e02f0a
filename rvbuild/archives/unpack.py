"""Unpacks an archive of any known format, told by its first bytes.

Knows: which reader a format has. Must not know: names' endings, disks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rvbuild.archives import deb, tar, zipfile
from rvbuild.archives.byte_stream import ByteStream, Flow
from rvbuild.archives.compression import decompressed, packing
from rvbuild.archives.guard import Guard
from rvbuild.archives.unpack_limits import Links, Meter, UnpackLimits
from rvbuild.core import ar
from rvbuild.core.ports.sink import TreeSink

_ZIP = (b"PK\3\4", b"PK\5\6")


def unpack(  # noqa: PLR0913 - all but three have a default
    stream: BinaryIO,
    name: str,
    into: TreeSink,
    *,
    strip: int = 0,
    limits: UnpackLimits | None = None,
    links: Links = Links.INSIDE,
) -> None:
    """Unpack a tar archive (plain, gzip, xz, lzma, bzip2, zstd), a zip archive or a Debian package.

    Args:
        stream: At its beginning; need not be seekable.
        name: The archive, for messages.
        into: Of no use any more when this raises.
        strip: How many leading components every path loses; what has no more is left out, but
            something has to be left of an archive with files.
        limits: When to refuse it.
        links: Which links it may hold.

    Raises:
        VerificationError: unknown, damaged, truncated, against the rules, or over a limit.
    """
    limits = limits or UnpackLimits()
    source = ByteStream(stream, name)
    head = source.peek(8)
    if head.startswith(_ZIP):
        with _seekable(stream, source) as file:
            zipfile.read_zip(file, into, name=name, strip=strip, limits=limits, links=links)
    elif head == ar.MAGIC:
        deb.read_deb(source, into, name=name, strip=strip, limits=limits, links=links)
    else:
        framed = bool(packing(source))
        chunks = decompressed(source, Meter(name, limits))
        guard = Guard(into, name, strip=strip, limits=limits, links=links)
        tar.read_tar(Flow(chunks, name, framed=framed), guard)


@contextmanager
def _seekable(stream: BinaryIO, source: ByteStream) -> Iterator[BinaryIO]:
    """The stream itself if it can seek, else a copy in a file without a name."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        file.writelines(source.chunks())
        yield file
