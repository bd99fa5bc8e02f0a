"""Reads zip archives: stored and deflated, with zip64.

Knows: local headers and contents (PKWARE's APPNOTE.TXT 6.3.10). Must not know: what the
files are for.

The central directory says what there is; every local header, data descriptor and checksum
has to agree with it, and nothing may lie between or overlap, so that no other reader can
see other files in the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import BinaryIO, NoReturn

from rvbuild.archives.guard import Guard
from rvbuild.archives.unpack_limits import Links, UnpackLimits
from rvbuild.archives.zip_directory import ZipEntry, damaged, extras, read_directory
from rvbuild.core.digest import EMPTY
from rvbuild.core.paths import MAX_TARGET
from rvbuild.core.ports.sink import TreeSink

_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_SIZES64 = struct.Struct("<2Q")  # 4.5.3
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64 = 0x0001
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_DESCRIBED = 1 << 3
_FLAGS = 0b110 | _DESCRIBED | 1 << 11  # deflate's level, data descriptor, UTF-8
_AT_ONCE = 1 << 20


class Zip:
    """A zip archive in a seekable file; one thread at a time.

    ``entries`` come in the order of the bytes. The file has to stay open and unchanged.

    Raises:
        VerificationError: not a zip archive, damaged, ambiguous, or over a limit.
    """

    def __init__(self, file: BinaryIO, name: str, limits: UnpackLimits | None = None) -> None:
        self._file = file
        self._name = name
        self.entries = read_directory(file, name, limits or UnpackLimits())

    def chunks(self, entry: ZipEntry) -> Iterable[bytes]:
        """The content in pieces of at most 1 MiB; whoever takes all of them has it verified.

        Raises:
            VerificationError: encrypted, an unknown method, or not what the directory says.
        """
        self._supported(entry)
        if entry.size <= _AT_ONCE and entry.compressed <= _AT_ONCE:
            return (self._read(entry),)
        return self._stream(entry)

    def read(self, entry: ZipEntry) -> bytes:
        """The whole content, verified; see `chunks`."""
        return b"".join(self.chunks(entry))

    def _refuse(self, entry: ZipEntry, message: str) -> NoReturn:
        raise damaged(self._name, message, entry.name)

    def _supported(self, entry: ZipEntry) -> None:
        if entry.flags & ~_FLAGS:
            how = "encrypted" if entry.flags & _ENCRYPTED else "packed in an unknown way"
            self._refuse(entry, f"it is {how} (flags {entry.flags:#06x})")
        if entry.method == _STORED:
            if entry.size != entry.compressed:
                self._refuse(entry, "stored, with two different sizes")
        elif entry.method != _DEFLATED:
            self._refuse(entry, f"packed by method {entry.method}, not stored or deflated")

    def _at(self, entry: ZipEntry, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            self._refuse(entry, f"the archive ends at byte {offset + len(data)}, inside of it")
        return data

    def _read(self, entry: ZipEntry) -> bytes:
        most = _LOCAL.size + len(entry.raw) + _MAX16 + entry.compressed + 24
        span = self._at(entry, entry.offset, min(entry.end - entry.offset, most))
        start = self._data_at(entry, span)
        stop = start + entry.compressed
        self._check_rest(entry, span[stop:])
        data = span[start:stop]
        if entry.method == _DEFLATED:
            data = self._inflate(entry, data)
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            self._refuse(entry, "its content does not have the size or the CRC-32 given for it")
        return data

    def _inflate(self, entry: ZipEntry, data: bytes) -> bytes:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(data, entry.size + 1)
        except zlib.error as error:
            message = f"its compressed data are damaged ({error})"
            raise damaged(self._name, message, entry.name) from error
        if not inflater.eof or inflater.unused_data:
            self._refuse(entry, "its compressed data end too early or too late")
        return content

    def _stream(self, entry: ZipEntry) -> Iterator[bytes]:
        most = _LOCAL.size + len(entry.raw) + _MAX16
        span = self._at(entry, entry.offset, min(entry.end - entry.offset, most))
        start = entry.offset + self._data_at(entry, span)
        rest = start + entry.compressed
        self._check_rest(entry, self._at(entry, rest, max(0, min(entry.end - rest, 25))))
        size = crc = 0
        pieces = self._pieces(entry, start, rest)
        for chunk in self._inflated(entry, pieces) if entry.method == _DEFLATED else pieces:
            size += len(chunk)
            crc = zlib.crc32(chunk, crc)
            if size > entry.size:
                break
            yield chunk
        if size != entry.size or crc != entry.crc:
            self._refuse(entry, "its content does not have the size or the CRC-32 given for it")

    def _pieces(self, entry: ZipEntry, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, _AT_ONCE):
            yield self._at(entry, at, min(_AT_ONCE, stop - at))

    def _inflated(self, entry: ZipEntry, pieces: Iterable[bytes]) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in pieces:
                ahead = piece
                while ahead and not inflater.eof:
                    yield inflater.decompress(ahead, _AT_ONCE)
                    ahead = inflater.unconsumed_tail
                if inflater.unused_data:
                    break
            while not inflater.eof and (chunk := inflater.decompress(b"", _AT_ONCE)):
                yield chunk
        except zlib.error as error:
            message = f"its compressed data are damaged ({error})"
            raise damaged(self._name, message, entry.name) from error
        if not inflater.eof or inflater.unused_data:
            self._refuse(entry, "its compressed data end too early or too late")

    def _data_at(self, entry: ZipEntry, span: bytes) -> int:
        """Where the data begin in ``span``, once the local header was seen to agree."""
        magic, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = (
            _LOCAL.unpack_from(span)
        )
        start: int = _LOCAL.size + name_size
        end: int = start + extra_size
        if (
            magic != b"PK\3\4"
            or flags != entry.flags
            or method != entry.method
            or span[_LOCAL.size : start] != entry.raw
        ):
            self._refuse(entry, "its local header and the central directory disagree")
        told = (crc, compressed, size)
        if told != (entry.crc, entry.compressed, entry.size):
            self._agree(entry, told, span[start:end])
        return end

    def _agree(self, entry: ZipEntry, told: tuple[int, int, int], extra: bytes) -> None:
        """The longer way to see that a local header says what the directory says."""
        crc, compressed, size = told
        if compressed == size == _MAX32:
            fields = dict(extras(self._name, entry.name, extra))
            if len(fields.get(_ZIP64, b"")) < _SIZES64.size:
                self._refuse(entry, "its zip64 field is damaged")
            size, compressed = _SIZES64.unpack_from(fields[_ZIP64])
        told = (crc, compressed, size)
        known = (entry.crc, entry.compressed, entry.size)
        # What was not known when the header was written is 0, and stands in the descriptor.
        late = (0, 0, 0) if entry.flags & _DESCRIBED else known
        if any(value not in pair for value, *pair in zip(told, known, late, strict=True)):
            self._refuse(entry, "its local header and the central directory disagree")

    def _check_rest(self, entry: ZipEntry, rest: bytes) -> None:
        """See that nothing follows the data but the descriptor that was announced (4.3.9)."""
        if not entry.flags & _DESCRIBED:
            if rest:
                self._refuse(entry, "bytes after its data that belong to no entry")
            return
        values = entry.crc, entry.compressed, entry.size
        short = struct.pack("<3L", *values) if max(values) <= _MAX32 else None
        if short is None or rest not in {b"PK\7\x08" + short, short}:
            long = struct.pack("<L2Q", *values)
            if rest not in {b"PK\7\x08" + long, long}:
                self._refuse(entry, "its data descriptor and the central directory disagree")


def read_zip(  # noqa: PLR0913 - all but three have a default, all but two are named
    file: BinaryIO,
    into: TreeSink,
    *,
    name: str,
    prefix: str = "",
    strip: int = 0,
    limits: UnpackLimits | None = None,
    links: Links = Links.INSIDE,
    executable: Callable[[str], bool] | None = None,
) -> dict[str, str]:
    """Unpack a zip archive.

    Args:
        file: Seekable; it has to stay unchanged.
        into: Of no use any more when this raises.
        name: The archive, for messages.
        prefix: What every name begins with, taken off (``PATH@VERSION/`` of a Go module).
        strip: How many leading components are taken off then.
        limits: When to refuse it.
        links: Which symbolic links it may hold.
        executable: Says which names are executable; None: the mode in the archive does.

    Returns:
        The SHA-256 of each file by its name in the archive, prefix included (what Go's ``h1:``
        is made of); a directory, whose name ends with ``/``, has the one of no bytes.

    Raises:
        VerificationError: not a zip archive, damaged, against the rules, or over a limit.
    """
    archive = Zip(file, name, limits)
    guard = Guard(into, name, strip=strip, limits=limits, links=links)
    hashes: dict[str, str] = {}
    for entry in archive.entries:
        if not entry.name.startswith(prefix):
            guard.refuse(entry.name, f"its name does not begin with {prefix}")
        runs = executable(entry.name) if executable else entry.mode & 0o111 != 0
        digest = _place(archive, guard, entry, entry.name[len(prefix) :], runs=runs)
        if digest is not None:
            hashes[entry.name] = digest
    guard.finish()
    return hashes


def _place(archive: Zip, guard: Guard, entry: ZipEntry, path: str, *, runs: bool) -> str | None:
    """Hand one entry on as what it is; returns the SHA-256 of a file or directory."""
    kind = S_IFMT(entry.mode)
    if "\\" in path:
        guard.refuse(entry.name, "a backslash in the name, where folders are separated by /")
    if entry.is_directory:
        if entry.size or kind not in {0, S_IFDIR, S_IFREG}:
            guard.refuse(entry.name, "its name is a directory's, and it is none")
        archive.read(entry)
        if path:
            guard.directory(path)
        return EMPTY.hash
    if kind in {0, S_IFREG}:
        return guard.file(path, archive.chunks(entry), executable=runs)
    if kind != S_IFLNK:
        guard.refuse(entry.name, "neither a file, nor a directory, nor a symbolic link")
    if entry.size > MAX_TARGET:
        guard.refuse(entry.name, f"a symbolic link to {entry.size} bytes")
    guard.symlink(path, guard.decode(archive.read(entry)))
    return None
