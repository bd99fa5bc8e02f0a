"""Reads the ar format as Debian packages have it.

Knows: members, one after another (deb(5): no symbol table, no long names). Must not know:
what they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import define, field

from rvbuild.archives.source import CHUNK, Source
from rvbuild.core.errors import VerificationError

MAGIC = b"!<arch>\n"
_HEADER = struct.Struct("16s32x10s2s")


@define
class Member:
    """One member; what is not read of it is passed over when the next one is asked for."""

    name: str
    left: int
    _source: Source = field(repr=False)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; nothing at the end.

        Raises:
            VerificationError: the archive ends before the member does.
        """
        size = min(size, self.left, CHUNK)
        data = self._source.exactly(size, f"member {self.name}") if size else b""
        self.left -= size
        return data


def members(source: Source) -> Iterator[Member]:
    """Every member in turn; each is readable until the next is asked for.

    Raises:
        VerificationError: not an ar archive, damaged or truncated.
    """
    if source.exactly(len(MAGIC), "its first line") != MAGIC:
        message = "not an ar archive"
        raise VerificationError(message, where=source.name)
    while source.peek(1):
        name, size, end = _HEADER.unpack(source.exactly(_HEADER.size, "a member's header"))
        digits = size.rstrip(b" ")
        if end != b"`\n" or not digits.isdigit() or not name.isascii():
            message = f"the member's header at byte {source.taken - _HEADER.size} is damaged"
            raise VerificationError(message, where=source.name)
        member = Member(name.decode("ascii").rstrip(" ").removesuffix("/"), int(digits), source)
        yield member
        while member.read(CHUNK):
            """Passed over."""
        if int(digits) % 2:
            source.read(1)
