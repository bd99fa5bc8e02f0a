"""Numbers of as many bytes as they need: ULEB128, which Go calls Uvarint.

Knows: the encoding (DWARF 5, 7.6; Go's encoding/binary). Must not know: what a number is of.
"""

from __future__ import annotations

from rvbuild.core.errors import Malformed

LONGEST = 10
"""Bytes of a number of 64 bits."""


def read_uleb128(data: bytes, at: int = 0) -> tuple[int, int]:
    """The number that begins at a byte, and where it ends.

    Raises:
        Malformed: it has more than 64 bits, or ``data`` ends in it.
    """
    value = 0
    for shift, byte in enumerate(data[at : at + LONGEST]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80 and value < 1 << 64:
            return value, at + shift + 1
    msg = f"a number without an end, at byte {at}"
    raise Malformed(msg)
