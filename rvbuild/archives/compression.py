"""Decompresses gzip, xz, lzma, bzip2 and zstd, told apart by their first bytes.

Knows: members, padding and limits. Must not know: what the bytes are.

Members may follow each other, and zero bytes may follow them; anything else is an error,
so that nothing travels along unseen.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from rvbuild.archives import zstd
from rvbuild.archives.byte_stream import CHUNK, ByteStream, truncated
from rvbuild.archives.unpack_limits import Meter
from rvbuild.core.errors import Malformed

_AT_ONCE = 1 << 20
_XZ_MEMORY = 160 << 20  # xz -9 takes 65 MiB
_GZIP = 16 + zlib.MAX_WBITS


class _Decoder(Protocol):
    """One member's decompressor, as ``bz2`` and ``lzma`` have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """``zlib``'s decompressor with the face of the others."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)


@frozen
class _Codec:
    """A compression's name and the bytes that every member begins with."""

    name: str
    magic: bytes

    def starts(self, head: bytes) -> bool:
        """Whether ``head``, six bytes or all there is, begins a member."""
        if self is _ZSTD:
            return zstd.starts_frame(head[:4])
        if self is _LZMA:  # these three bytes could be the name "]" of a tar archive, too
            return head.startswith(self.magic) and head[3:5] != b"\0\0"
        return head.startswith(self.magic)

    def decoder(self) -> _Decoder:
        if self in {_XZ, _LZMA}:
            form = lzma.FORMAT_XZ if self is _XZ else lzma.FORMAT_ALONE
            return lzma.LZMADecompressor(form, memlimit=_XZ_MEMORY)
        return bz2.BZ2Decompressor() if self is _BZIP2 else _Gzip()

    def member(self, source: ByteStream) -> Iterator[bytes]:
        """The content of the member that begins here."""
        return zstd.frame(source) if self is _ZSTD else _member(source, self)


_GZ = _Codec("gzip", b"\x1f\x8b")
_XZ = _Codec("xz", b"\xfd7zXZ\0")
_LZMA = _Codec("lzma", b"]\0\0")  # LZMA Utils' form: properties, no name
_BZIP2 = _Codec("bzip2", b"BZh")
_ZSTD = _Codec("zstd", zstd.MAGIC)
_UNSUPPORTED = {b"LZIP": "lzip", b"\x1f\x9d": "compress (.Z)", b"\x89LZO": "lzop", b"7z": "7-Zip"}


def packing(source: ByteStream) -> str:
    """The name of the compression that ``decompressed`` will take it for, empty if for none."""
    codec = _codec(source.peek(6))
    return codec.name if codec else ""


def decompressed(source: ByteStream, meter: Meter) -> Iterator[bytes]:
    """The content of a compressed or plain stream, in chunks of at most 1 MiB.

    Raises:
        VerificationError: damaged, truncated, followed by garbage, or over a limit.
    """
    head = source.peek(6)
    codec = _codec(head)
    for magic, what in _UNSUPPORTED.items():
        if head.startswith(magic):
            message = f"packed by {what}, which is not supported: gzip, xz, lzma, bzip2, zstd are"
            raise Malformed(message, where=source.name)
    for chunk in _members(source, codec) if codec else source.chunks():
        meter.count(len(chunk), source.taken)
        yield chunk


def _codec(head: bytes) -> _Codec | None:
    return next((codec for codec in (_GZ, _XZ, _LZMA, _BZIP2, _ZSTD) if codec.starts(head)), None)


def _members(source: ByteStream, codec: _Codec) -> Iterator[bytes]:
    while codec.starts(source.peek(6)):
        yield from codec.member(source)
    for chunk in source.chunks():
        if chunk.strip(b"\0"):
            message = f"bytes after the {codec.name} data that are not part of them"
            raise Malformed(message, where=source.name)


def _member(source: ByteStream, codec: _Codec) -> Iterator[bytes]:
    decoder = codec.decoder()
    try:
        while not decoder.eof:
            data = source.read(CHUNK) if decoder.needs_input else b""
            chunk = decoder.decompress(data, _AT_ONCE)
            if not (chunk or data or decoder.eof):
                truncated(source.name, source.taken, f"{codec.name} data")
            yield chunk
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        message = f"its {codec.name} data are damaged before byte {source.taken} ({error})"
        raise Malformed(message, where=source.name) from error
    source.unread(decoder.unused_data)
