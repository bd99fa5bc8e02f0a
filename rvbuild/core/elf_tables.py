"""The tables of an ELF file: its header, its segments and its sections.

Knows: how the tables are laid out. Must not know: what is in a section, what is wanted of a file.
Source: System V ABI (gABI), chapters 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from rvbuild.core.errors import Malformed

MAGIC = b"\x7fELF"

OBJECT, EXECUTABLE, SHARED = 1, 2, 3  # e_type: ET_REL, ET_EXEC, ET_DYN

SEGMENT_LOAD = 1  # p_type PT_LOAD
SEGMENT_RUNS, SEGMENT_WRITABLE = 1, 2  # p_flags PF_X, PF_W
SECTION_NULL, SECTION_EMPTY = 0, 8  # sh_type: SHT_NULL; SHT_NOBITS takes no bytes of the file
SECTION_RUNS, SECTION_PACKED = 0x4, 0x800  # sh_flags: SHF_EXECINSTR, SHF_COMPRESSED

_MOST_HEADERS = 1 << 16  # bytes of program headers: Linux runs no program that has more
_MANY = 0xFFFF  # e_shstrndx SHN_XINDEX: the number stands in the first section's header


_SHORT = 256  # bytes of a text that are looked at first


class ByteView(Protocol):
    """Bytes of a file: ``bytes``, or an ``mmap`` of it."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@frozen
class ElfSegment:
    """A program header: ``size`` bytes of the file at ``offset`` are loaded at ``address``."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


@frozen
class ElfSection:
    """A section header; ``index`` is its number, ``link`` that of the section it refers to."""

    index: int
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int

    @property
    def runs(self) -> bool:
        """Whether the processor runs what is in it."""
        return bool(self.flags & SECTION_RUNS) and self.kind not in {SECTION_NULL, SECTION_EMPTY}


class ElfReader:
    """Reads numbers of the file's own width and order, and never past its end."""

    def __init__(self, data: ByteView) -> None:
        self._data = data
        ident = self.part(0, 16)
        if ident[:4] != MAGIC or ident[4] not in {1, 2} or ident[5] not in {1, 2}:
            msg = "not an ELF file"
            raise Malformed(msg)
        self.bits = 32 * ident[4]
        self.little = ident[5] == 1
        self.order = "<" if self.little else ">"

    def __len__(self) -> int:
        return len(self._data)

    def part(self, offset: int, size: int) -> bytes:
        data = self._data[offset : offset + size]
        if len(data) != size:
            msg = f"ELF file ends early: {size} bytes wanted at {offset}"
            raise Malformed(msg)
        return data

    def fields(self, layout: str, offset: int) -> tuple[int, ...]:
        """Unpack ``layout``, in which ``N`` is a number of the file's width."""
        form = self.form(layout)
        return struct.unpack(form, self.part(offset, struct.calcsize(form)))

    def form(self, layout: str) -> str:
        """A format of `struct` for ``layout``, in which ``N`` is a number of the file's width."""
        return self.order + layout.replace("N", "Q" if self.bits == 64 else "I")

    def text(self, offset: int, most: int = 4096) -> str:
        """The NUL-terminated string at ``offset``, of less than ``most`` bytes."""
        head, end, _ = self._data[offset : offset + min(most, _SHORT)].partition(b"\0")
        if not end:
            head, end, _ = self._data[offset : offset + most].partition(b"\0")
        if not end:
            msg = f"ELF file has a string without an end at {offset}"
            raise Malformed(msg)
        return head.decode("utf-8", "replace")


@frozen(kw_only=True)
class ElfTables:
    """An ELF file's header with its tables; ``reader`` reads what they point at."""

    reader: ElfReader
    kind: int
    machine: int
    flags: int
    segments: tuple[ElfSegment, ...]
    sections: tuple[ElfSection, ...]
    headers: tuple[tuple[int, int], ...]

    def section(self, name: str) -> ElfSection | None:
        """The first section with this name that has bytes in the file."""
        return next((one for one in self.sections if one.name == name and _stored(one)), None)

    def segment(self, kind: int) -> ElfSegment | None:
        """The segment of a kind of which a program has one.

        Raises:
            Malformed: it has several.
        """
        several = [one for one in self.segments if one.kind == kind]
        if len(several) > 1:
            msg = f"ELF file has {len(several)} program headers of the type {kind:#x}"
            raise Malformed(msg)
        return several[0] if several else None

    def offset(self, address: int) -> int:
        """Where in the file the byte is that is loaded at ``address``.

        Raises:
            Malformed: none is.
        """
        for one in self.segments:
            if one.kind == SEGMENT_LOAD and one.address <= address < one.address + one.size:
                return one.offset + address - one.address
        msg = f"ELF file has nothing at address {address:#x}"
        raise Malformed(msg)


def _stored(section: ElfSection) -> bool:
    return section.kind not in {SECTION_NULL, SECTION_EMPTY} and not section.flags & SECTION_PACKED


def read_tables(data: ByteView) -> ElfTables:
    """Read the tables of an ELF file of any machine.

    ``headers`` are the ranges (offset, size) of the file's own header and of its tables.

    Raises:
        Malformed: it is not one, or a table lies outside of it.
    """
    reader = ElfReader(data)
    kind, machine, _, _, segments_at, sections_at, flags, size, *counts = reader.fields(
        "HHINNNIHHHHHH", 16
    )
    segment_size, segments, section_size, sections, names = counts
    return ElfTables(
        reader=reader,
        kind=kind,
        machine=machine,
        flags=flags,
        segments=tuple(_segments(reader, segments_at, segment_size, segments)),
        sections=_sections(reader, sections_at, section_size, sections, names),
        headers=(
            (0, size),
            (segments_at, segments * segment_size),
            (sections_at, sections * section_size),
        ),
    )


def _check_table(reader: ElfReader, start: int, step: int, count: int, shortest: int) -> None:
    """Refuse a table that lies outside of the file, or whose entries lie in each other."""
    if step < shortest or start + count * step > len(reader):
        msg = f"ELF file has no room for {count} headers of {step} bytes at {start}"
        raise Malformed(msg)


def _segments(reader: ElfReader, start: int, step: int, count: int) -> Iterator[ElfSegment]:
    if not count:
        return
    _check_table(reader, start, step, count, 56 if reader.bits == 64 else 32)
    if count * step > _MOST_HEADERS:
        msg = f"ELF file has {count} program headers, more than a program may have"
        raise Malformed(msg)
    for at in range(start, start + count * step, step):
        if reader.bits == 64:
            kind, flags, offset, address, _, size = reader.fields("IINNNN", at)
        else:
            kind, offset, address, _, size, _, flags = reader.fields("INNNNNI", at)
        yield ElfSegment(kind, flags, offset, address, size)


def _sections(
    reader: ElfReader, start: int, step: int, count: int, names: int
) -> tuple[ElfSection, ...]:
    if not start:
        return ()
    if not count:  # more than fit: gABI, "sh_size of the section header at index 0"
        count = reader.fields("IINNNN", start)[5]
    _check_table(reader, start, step, count, 64 if reader.bits == 64 else 40)
    headers = [reader.fields("IINNNNI", start + i * step) for i in range(count)]
    if names == _MANY and headers:
        names = headers[0][6]
    strings = headers[names] if names < len(headers) else None
    return tuple(
        ElfSection(index, _name(reader, strings, header[0]), *header[1:])
        for index, header in enumerate(headers)
    )


def _name(reader: ElfReader, strings: tuple[int, ...] | None, at: int) -> str:
    if strings is None or strings[1] in {SECTION_NULL, SECTION_EMPTY} or at >= strings[5]:
        return ""
    return reader.text(strings[4] + at, min(strings[5] - at, 4096))
