"""The notes in which a program says what it needs of a processor.

Knows: GNU's program properties. Must not know: what a program may need.
Sources: Linux Extensions to gABI, ".note.gnu.property"; x86-64 psABI, "Program Property"; ELF for
the Arm 64-bit Architecture, "Program Property".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rvbuild.core.elf_tables import ElfReader, ElfTables
from rvbuild.core.errors import Malformed

_PROPERTIES = 0x6474E553  # p_type PT_GNU_PROPERTY
_PROPERTY_NOTE = 5  # NT_GNU_PROPERTY_TYPE_0
_X86_NEEDED = 0xC0008002  # GNU_PROPERTY_X86_ISA_1_NEEDED
_ARM_POINTER_SIGNATURES = 0xC0000001  # GNU_PROPERTY_AARCH64_FEATURE_PAUTH
_X86_LEVELS = ("x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4")


def x86_levels(tables: ElfTables) -> frozenset[str] | None:
    """The levels of x86-64 that a program says it needs; None if it says nothing.

    Raises:
        Malformed: its note is damaged.
    """
    for kind, data in _properties(tables):
        if kind == _X86_NEEDED and len(data) >= 4:
            (bits,) = struct.unpack_from(tables.reader.order + "I", data)
            named = {name for bit, name in enumerate(_X86_LEVELS) if bits >> bit & 1}
            unnamed = bits >> len(_X86_LEVELS)
            return frozenset(named | ({f"x86-64 level bits {unnamed:#x}"} if unnamed else set()))
    return None


def signs_pointers(tables: ElfTables) -> bool:
    """Whether an AArch64 program needs signed pointers (FEAT_PAuth of Armv8.3-A).

    The other properties (BTI, GCS, PAC) are of instructions that older processors take for no-ops.

    Raises:
        Malformed: its note is damaged.
    """
    return any(kind == _ARM_POINTER_SIGNATURES and any(data) for kind, data in _properties(tables))


def _properties(tables: ElfTables) -> Iterator[tuple[int, bytes]]:
    place = tables.segment(_PROPERTIES) or tables.section(".note.gnu.property")
    if place is not None:
        yield from _in_notes(tables.reader, tables.reader.part(place.offset, place.size))


def _in_notes(reader: ElfReader, data: bytes) -> Iterator[tuple[int, bytes]]:
    word = reader.bits // 8
    at = 0
    try:
        while at + 12 <= len(data):
            name_size, size, kind = struct.unpack_from(reader.order + "III", data, at)
            name = data[at + 12 : at + 12 + name_size]
            start = _rounded(at + 12 + name_size, word)
            if kind == _PROPERTY_NOTE and name == b"GNU\0":
                yield from _in_note(reader.order, data[start : start + size], word)
            at = _rounded(start + size, word)
    except struct.error as error:
        msg = "ELF file has a damaged property note"
        raise Malformed(msg) from error


def _in_note(order: str, data: bytes, word: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at = _rounded(at + 8 + size, word)


def _rounded(at: int, step: int) -> int:
    return -(-at // step) * step
