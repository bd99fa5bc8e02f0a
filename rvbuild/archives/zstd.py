"""Decompresses zstd, one block at a time, so that little data never becomes much at once.

Knows: how frames and blocks are laid out (RFC 8878, section 3.1; their content is
libzstd's business). Must not know: archives.
"""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from rvbuild.archives.byte_stream import CHUNK, ByteStream
from rvbuild.core.errors import Malformed

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_WINDOW_MAX = 128 << 20  # what the zstd program takes unless told otherwise
_BLOCK_MAX = 128 << 10
_RLE, _RESERVED = 1, 3


def starts_frame(head: bytes) -> bool:
    """Whether these four bytes begin a frame, or one to be skipped (3.1.2)."""
    return head == MAGIC or (head[1:] == _SKIPPABLE and 0x50 <= head[0] <= 0x5F)


def frame(source: ByteStream) -> Iterator[bytes]:
    """The content of the frame that begins here.

    Raises:
        VerificationError: damaged, truncated, or it asks for more than 128 MiB of memory.
    """
    magic = source.exactly(4, "a zstd frame")
    if magic != MAGIC:
        _skip(source, int.from_bytes(source.exactly(4, "a zstd frame"), "little"))
        return
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj()
    try:
        head = source.exactly(1, "a zstd frame")
        decoder.decompress(magic + head + source.exactly(_header_rest(head[0]), "a zstd frame"))
        for block in _blocks(source):
            yield decoder.decompress(block)
        if head[0] & 0b100:
            decoder.decompress(source.exactly(4, "a zstd frame"))
    except zstandard.ZstdError as error:
        message = f"its zstd data are damaged or need too much memory ({error})"
        raise Malformed(message, where=source.name) from error
    if not decoder.eof:
        message = f"its zstd data are damaged before byte {source.taken}"
        raise Malformed(message, where=source.name)


def _header_rest(descriptor: int) -> int:
    """How many bytes the frame header has after its descriptor (3.1.1.1.1)."""
    single_segment = descriptor >> 5 & 1
    content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
    dictionary = (0, 1, 2, 4)[descriptor & 0b11]
    return (1 - single_segment) + dictionary + content_size


def _blocks(source: ByteStream) -> Iterator[bytes]:
    """Each block with its header (3.1.1.2)."""
    last = 0
    while not last:
        head = source.exactly(3, "a zstd block")
        value = int.from_bytes(head, "little")
        last, kind, size = value & 1, value >> 1 & 0b11, value >> 3
        if kind == _RESERVED or size > _BLOCK_MAX:
            message = f"its zstd data are damaged before byte {source.taken}"
            raise Malformed(message, where=source.name)
        yield head + source.exactly(1 if kind == _RLE else size, "a zstd block")


def _skip(source: ByteStream, size: int) -> None:
    while size:
        size -= len(source.exactly(min(size, CHUNK), "a zstd frame to be skipped"))
