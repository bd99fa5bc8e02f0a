"""Packs: blobs, one after another, in one zstd frame.

Knows: zstd. Must not know: trees, caches, which blobs these are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, cast

import zstandard

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed

LEVEL = 3
"""Measured with Go's toolchain (docs/caches.md): higher levels cost more seconds than they save."""

PIECE = 1 << 18
_WINDOW_MAX = 1 << 27


def write_pack(parts: Iterable[bytes | memoryview], size: int, to: BinaryIO) -> Digest:
    """Write a pack of ``parts``, which have ``size`` bytes together.

    Returns:
        The digest of the pack's own bytes.

    Raises:
        OSError: ``to`` could not be written.
    """
    sha256, written = hashlib.sha256(), 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
    frame = compressor.chunker(size=size, chunk_size=PIECE)
    for chunk in _compressed(frame, parts):
        sha256.update(chunk)
        written += len(chunk)
        to.write(chunk)
    return Digest(sha256.hexdigest(), written)


def _compressed(
    frame: zstandard.ZstdCompressionChunker, parts: Iterable[bytes | memoryview]
) -> Iterator[bytes]:
    for piece in _pieces(parts):
        yield from frame.compress(piece)
    yield from frame.finish()  # type: ignore[no-untyped-call]


def _pieces(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The parts, small ones together: each call of zstd gives the interpreter's lock away."""
    piece: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)


class PackReader:
    """Reads the blobs of a pack, in their order.

    Never more is decompressed than was asked for.

    Args:
        chunks: The pack's bytes.

    Example::

        reader = PackReader(cache.read(pack))
        first = b"".join(reader.blob(812))
        reader.finish()
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
        source = cast("BinaryIO", _Readable(self._chunks))
        self._stream = decompressor.stream_reader(source, read_size=PIECE)

    def blob(self, size: int, most: int = PIECE) -> Iterator[bytes]:
        """The next ``size`` bytes, at most ``most`` in a piece; an empty blob is one empty piece.

        Raises:
            Malformed: the pack is damaged, or ends before.
        """
        if not size:
            yield b""
        while size:
            piece = self._read(min(size, most))
            if not piece:
                msg = "the pack ends too early"
                raise Malformed(msg)
            size -= len(piece)
            yield piece

    def blobs(self, sizes: Sequence[int]) -> Iterator[bytes]:
        """The next blobs, of these sizes, each whole; all are decompressed at once.

        For small ones, which cost less so: each call of zstd gives the interpreter's lock away.

        Raises:
            Malformed: the pack is damaged, or ends before.
        """
        data, begin = b"".join(self.blob(sum(sizes), most=sum(sizes))), 0
        for size in sizes:
            yield data[begin : begin + size]
            begin += size

    def finish(self) -> None:
        """See that nothing follows, and take all chunks to their end.

        Raises:
            Malformed: something follows.
        """
        if self._read(1):
            msg = "the pack holds more than was signed"
            raise Malformed(msg)
        self.exhaust()

    def exhaust(self) -> None:
        """Take all chunks to their end, and make nothing of them."""
        for _ in self._chunks:
            pass

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except zstandard.ZstdError as error:
            msg = f"the pack's zstd data are damaged, or need too much memory ({error})"
            raise Malformed(msg) from error


class _Readable:
    """What ``stream_reader`` reads of: chunks of any length as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> memoryview:
        """At most ``size`` bytes; none at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return self._rest
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
