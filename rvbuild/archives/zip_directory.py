"""Reads the central directory of a zip archive: what there is, and where.

Knows: the directory's format (PKWARE's APPNOTE.TXT 6.3.10; section numbers below are its).
Must not know: compression, what the files are for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from attrs import field, frozen

from rvbuild.archives.unpack_limits import Meter, UnpackLimits
from rvbuild.core.errors import Malformed, VerificationError
from rvbuild.core.printable import brief

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_LOCAL_SIZE = 30
_EXTRA = struct.Struct("<2H")  # 4.5.1
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_UNIX = 3
_DIRECTORY_MAX = 128 << 20


def damaged(name: str, message: str, entry: str = "") -> VerificationError:
    """The error of a zip archive, or of one entry of it."""
    where = f"{name}: entry {brief(entry)}" if entry else name
    return Malformed(message, where=where)


@frozen
class ZipEntry:
    """One line of the central directory.

    ``name`` is as in the archive (``raw`` in bytes), a directory's ends with ``/``. ``mode``
    is Unix's ``st_mode``, 0 when the archive has none. The local header begins at
    ``offset``; what belongs to the entry ends at ``end``. ``size`` and ``compressed`` are
    bytes.
    """

    name: str
    raw: bytes = field(repr=False)
    size: int
    compressed: int
    crc: int
    method: int
    flags: int
    mode: int
    offset: int
    end: int

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


def extras(name: str, entry: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of an extra block as (kind, bytes); a rest too short for one is padding."""
    at = 0
    while at + _EXTRA.size <= len(data):
        kind, size = _EXTRA.unpack_from(data, at)
        at += _EXTRA.size + size
        if at > len(data):
            message = "an extra field is longer than its block"
            raise damaged(name, message, entry)
        yield kind, data[at - size : at]


@frozen
class _Extent:
    """Where the central directory is, and how many entries it has."""

    offset: int
    size: int
    count: int


def read_directory(file: BinaryIO, name: str, limits: UnpackLimits) -> list[ZipEntry]:
    """Every entry, in the order of the bytes.

    Raises:
        VerificationError: not a zip archive, damaged, ambiguous, or over a limit.
    """
    length = file.seek(0, 2)
    extent = _extent(file, name, length)
    if extent.count > limits.entries:
        Meter(name, limits).refuse(f"has more than {limits.entries} entries")
    if extent.size > _DIRECTORY_MAX:
        raise damaged(name, f"a central directory of {extent.size} bytes")
    file.seek(extent.offset)
    data = file.read(extent.size)
    rows = sorted(_rows(data, name, extent), key=lambda row: row[-1])
    entries = list(_placed(rows, name, extent.offset))
    Meter(name, limits).count(sum(entry.size for entry in entries), length)
    return entries


def _extent(file: BinaryIO, name: str, length: int) -> _Extent:
    start = max(0, length - _END.size - _MAX16 - _LOCATOR.size)
    file.seek(start)
    tail = file.read(length - start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise damaged(name, "no end of a central directory: truncated, or not a zip archive")
    _, disk, first, here, count, size, offset, comment = _END.unpack_from(tail, at)
    end = at + _END.size + comment
    if end > len(tail) or tail[end:].strip(b"\0"):  # bsdtar fills a block with zeros
        raise damaged(name, "bytes after the end of the archive")
    stop = start + at
    locator = tail[max(0, at - _LOCATOR.size) : at]
    if locator.startswith(b"PK\6\7"):
        found, stop = _extent64(file, name, locator, stop)
        shortened = (min(found.count, _MAX16), min(found.size, _MAX32), min(found.offset, _MAX32))
        for short, full in zip((count, size, offset), shortened, strict=True):
            if short not in {full, _MAX32 if full is not shortened[0] else _MAX16}:
                raise damaged(name, "the two ends of the central directory disagree")
    else:
        found = _Extent(offset, size, count)
    if disk not in {0, _MAX16} or first not in {0, _MAX16} or here != count:
        raise damaged(name, "one part of a split archive")
    if found.offset + found.size != stop:
        raise damaged(name, "the central directory is not where the archive says")
    return found


def _extent64(file: BinaryIO, name: str, locator: bytes, at: int) -> tuple[_Extent, int]:
    _, disk, stop, disks = _LOCATOR.unpack(locator)
    if disk or disks > 1 or stop + _END64.size > at - _LOCATOR.size:
        raise damaged(name, "the zip64 end of the central directory is out of place")
    file.seek(stop)
    record = _END64.unpack(file.read(_END64.size))
    magic, size, _, _, disk, first, here, count, length, offset = record
    if magic != b"PK\6\6" or stop + 12 + size != at - _LOCATOR.size:
        raise damaged(name, "the zip64 end of the central directory is out of place")
    if disk or first or here != count:
        raise damaged(name, "one part of a split archive")
    return _Extent(offset, length, count), stop


_Row = tuple[str, bytes, int, int, int, int, int, int, int]


def _rows(data: bytes, name: str, extent: _Extent) -> Iterator[_Row]:
    at = 0
    for _ in range(extent.count):
        if at + _CENTRAL.size > len(data):
            raise damaged(name, "the central directory has fewer entries than it says")
        (magic, made, _, flags, method, _, _, crc, compressed, size, name_size, extra_size,
         comment_size, disk, _, external, offset) = _CENTRAL.unpack_from(data, at)  # fmt: skip
        start = at + _CENTRAL.size
        extra_at = start + name_size
        at = extra_at + extra_size + comment_size
        if magic != b"PK\1\2" or at > len(data):
            raise damaged(name, f"the central directory is damaged at byte {extent.offset + at}")
        raw = data[start:extra_at]
        try:
            entry = raw.decode()
        except UnicodeDecodeError:
            message = "the name is not UTF-8"
            raise damaged(name, message, ascii(raw[:200])) from None
        if extra_size:
            extra = data[extra_at : extra_at + extra_size]
            size, compressed, offset = _extended(name, entry, extra, (size, compressed, offset))
        if disk not in {0, _MAX16} or _MAX32 in {size, compressed, offset}:
            message = "its size or place is missing"
            raise damaged(name, message, entry)
        mode = external >> 16 if made >> 8 == _UNIX else 0
        yield entry, raw, size, compressed, crc, method, flags, mode, offset
    if at != len(data):
        raise damaged(name, "the central directory has more entries than it says")


def _extended(
    name: str, entry: str, extra: bytes, values: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Size, compressed size and offset, each taken from the zip64 field where it is full."""
    seen = False
    for kind, data in extras(name, entry, extra):
        if kind == _UNICODE_PATH and data[5:] != entry.encode():
            message = "it has two names"
            raise damaged(name, message, entry)
        if kind != _ZIP64:
            continue
        full = [value == _MAX32 for value in values]
        if seen or len(data) < 8 * sum(full):
            message = "its zip64 field is damaged"
            raise damaged(name, message, entry)
        seen = True
        numbers = iter(struct.unpack_from(f"<{sum(full)}Q", data))
        size, compressed, offset = (
            next(numbers) if is_full else value for value, is_full in zip(values, full, strict=True)
        )
        values = (size, compressed, offset)
    return values


def _placed(rows: list[_Row], name: str, stop: int) -> Iterator[ZipEntry]:
    """The entries with their ends: there is nothing between them, and none overlaps."""
    if rows and rows[0][-1] != 0:
        raise damaged(name, "bytes before the first entry")
    ends = [row[-1] for row in rows[1:]] + [stop]
    for row, end in zip(rows, ends, strict=bool(rows)):
        entry = ZipEntry(*row, end)
        if entry.offset + _LOCAL_SIZE + len(entry.raw) + entry.compressed > end:
            message = "it overlaps what comes after it"
            raise damaged(name, message, entry.name)
        yield entry
