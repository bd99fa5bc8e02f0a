"""The ar format: a header before each member (ar(5), deb(5)).

Knows: headers, and the members of an archive in memory. Must not know: what members are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.elf import ByteView
from rvbuild.core.errors import Malformed

MAGIC = b"!<arch>\n"
THIN_MAGIC = b"!<thin>\n"
"""Of an archive that only names its members, as GNU ar makes it."""

HEADER_SIZE = 60
_HEADER = struct.Struct("16s32x10s2s")
_END = b"`\n"
_INDEXES = {"/", "//", "/SYM64/"}  # of symbols and of long names, as GNU ar has them


@frozen
class MemberHeader:
    """A member's name as written, without the spaces that fill it up, and its size in bytes."""

    name: str
    size: int

    @property
    def padding(self) -> int:
        """Bytes between the member's end and the next header, which is at an even place."""
        return self.size % 2


def parse_header(data: bytes, at: int) -> MemberHeader:
    """Read the header that is at byte ``at`` of an archive.

    Raises:
        VerificationError: it is damaged, or too short.
    """
    name, size, end = _HEADER.unpack(data) if len(data) == HEADER_SIZE else (b"", b"", b"")
    digits = size.rstrip(b" ")
    if end != _END or not digits.isdigit():
        msg = f"the member's header at byte {at} is damaged"
        raise Malformed(msg)
    return MemberHeader(name.decode("utf-8", "replace").rstrip(" "), int(digits))


def members(data: ByteView) -> Iterator[tuple[str, ByteView]]:
    """Each member of an archive but its indexes, with its name as written.

    Raises:
        VerificationError: the archive is damaged, or thin (its members are elsewhere).
    """
    magic = data[: len(MAGIC)]
    if magic != MAGIC:
        is_thin = magic == THIN_MAGIC
        msg = "a thin archive has its members elsewhere" if is_thin else "not an archive"
        raise Malformed(msg)
    at = len(MAGIC)
    while at < len(data):
        start = at + HEADER_SIZE
        header = parse_header(data[at:start], at)
        body = data[start : start + header.size]
        if len(body) != header.size:
            msg = f"the archive ends inside the member whose header is at byte {at}"
            raise Malformed(msg)
        if header.name not in _INDEXES:
            yield header.name, body
        at = start + header.size + header.padding
