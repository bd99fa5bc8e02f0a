"""Reads the blocks that describe a tar archive's entries.

Knows: ustar and pax (POSIX.1-2017, pax: "ustar Interchange Format", "pax Extended Header"),
and what GNU tar, star and the tar of Unix V7 made different. Must not know: sinks.
"""

from __future__ import annotations

import struct

from attrs import frozen

BLOCK = 512
_FIELDS = struct.Struct("<100s8s16x12s12x8s1s100s8s80x155s12s")
_GNU = b"ustar  \0"
_CHECKSUM_AT = slice(148, 156)
_SPLIT = {b"GNU.volume.filename", b"GNU.volume.offset", b"GNU.volume.size"}
_OCTAL = b"01234567"
_SIZE_MAX = 1 << 62


class HeaderError(ValueError):
    """A block that is no header; the message says why."""


@frozen
class Header:
    """One header: names are bytes as they stand there, ``kind`` is the type flag."""

    name: bytes
    mode: int
    size: int
    kind: bytes
    link: bytes

    @property
    def is_directory(self) -> bool:
        """Whether it is one; Unix V7 had no type flag for it, but the slash at the end."""
        return self.kind == b"5" or (self.kind in b"0\x007" and self.name.endswith(b"/"))


def parse_header(block: bytes) -> Header:
    """Read one header block of 512 bytes.

    Raises:
        HeaderError: too short, the checksum is wrong, or a number is none.
    """
    if len(block) != BLOCK:
        message = f"{len(block)} bytes are no header"
        raise HeaderError(message)
    name, mode, size, checksum, kind, link, magic, prefix, trailer = _FIELDS.unpack(block)
    if not _is_checksum(block, parse_field(checksum)):
        message = "its checksum is wrong"
        raise HeaderError(message)
    name = _text(name)
    if magic.startswith(b"ustar\0"):  # some programs leave out the version after it
        # star's prefix is shorter, times follow it
        prefix = _text(prefix[:131] if trailer.endswith(b"tar\0") else prefix)
        name = prefix + b"/" + name if prefix else name
    elif magic.startswith(b"ustar") and magic != _GNU and _text(prefix):
        message = "a prefix to its name, in a header that is neither ustar's nor GNU's"
        raise HeaderError(message)
    return Header(name, parse_field(mode), parse_field(size), kind, _text(link))


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def parse_field(field: bytes) -> int:
    """A number of a header: octal digits, or base 256 with the first bit set (GNU tar, star).

    Raises:
        HeaderError: neither, negative, or over 2**62.
    """
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True)
        # The marking bit is not part of the number; with the next one it is negative.
        value = value - (-1 << (8 * len(field) - 1)) if field[0] == 0x80 else -1
        if not 0 <= value < _SIZE_MAX:
            message = "a number in it is negative or too large"
            raise HeaderError(message)
        return value
    digits = field.lstrip(b" ").rstrip(b" \0")
    if digits.translate(None, _OCTAL):
        message = f"{ascii(field)[1:]} is not a number"
        raise HeaderError(message)
    return int(digits, 8) if digits else 0


def _is_checksum(block: bytes, told: int) -> bool:
    blanked = sum(block) - sum(block[_CHECKSUM_AT]) + 8 * 0x20
    # Some old programs added up signed bytes.
    return blanked == told or blanked - 256 * sum(byte > 127 for byte in block) == told


def parse_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read pax records, each ``LENGTH KEY=VALUE`` and a newline; the last of a key counts.

    Raises:
        HeaderError: damaged, a split file, or a sparse one in star's or Solaris' form.
    """
    records: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = data[at:space] if space > at else b""
        end = at + int(length) if length.isdigit() else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not (space < end <= len(data) and data[end - 1 : end] == b"\n" and equals and key):
            message = "its extended header is damaged"
            raise HeaderError(message)
        if key in _SPLIT or key.startswith((b"SUN.holesdata", b"SCHILY.realsize")):
            message = f"sparse or split files are not supported ({ascii(key)[2:-1]})"
            raise HeaderError(message)
        records.append((key, value))
        at = end
    return records


def parse_size(value: bytes) -> int:
    """The ``size`` of a pax record.

    Raises:
        HeaderError: not decimal digits, or too large.
    """
    if not value.isdigit() or len(value) > 19 or int(value) >= _SIZE_MAX:
        message = "the size in its extended header is no number, or too large"
        raise HeaderError(message)
    return int(value)
