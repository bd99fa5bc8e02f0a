"""ELF files: as much of them as an audit of outputs needs.

Knows: bytes. Must not know: what is wanted of them, files, targets.
Sources: System V ABI (gABI) chapters 4 and 5; RISC-V ELF psABI ("File Header",
"Attributes").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Protocol

from attrs import frozen

from rvbuild.core.architecture import EM_RISCV
from rvbuild.core.errors import VerificationError

MAGIC = b"\x7fELF"

EXECUTABLE, SHARED = 2, 3  # e_type: ET_EXEC, ET_DYN

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3  # p_type
_ATTRIBUTES = 0x70000003  # p_type PT_RISCV_ATTRIBUTES and sh_type SHT_RISCV_ATTRIBUTES
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29  # d_tag


class ByteView(Protocol):
    """Bytes of a file: ``bytes``, or an ``mmap`` of it."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@frozen(kw_only=True)
class Elf:
    """What an ELF file says of itself.

    ``bits`` is 32 or 64. ``arch`` is RISC-V's Tag_RISCV_arch (``rv64i2p1_m2p0…``), None if
    the file has no such attribute. ``search`` are its DT_RPATH and DT_RUNPATH.
    """

    bits: int
    little_endian: bool
    kind: int
    machine: int
    flags: int
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    arch: str | None = None


@frozen
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


class _Reader:
    """Reads numbers of the file's own width and order, and never past its end."""

    def __init__(self, data: ByteView) -> None:
        self._data = data
        ident = self.part(0, 16)
        if ident[:4] != MAGIC or ident[4] not in {1, 2} or ident[5] not in {1, 2}:
            msg = "not an ELF file"
            raise VerificationError(msg)
        self.bits = 32 * ident[4]
        self.little = ident[5] == 1
        self.order = "<" if self.little else ">"

    def part(self, offset: int, size: int) -> bytes:
        data = self._data[offset : offset + size]
        if len(data) != size:
            msg = f"ELF file ends early: {size} bytes wanted at {offset}"
            raise VerificationError(msg)
        return data

    def fields(self, layout: str, offset: int) -> tuple[int, ...]:
        """Unpack ``layout``, in which ``N`` is a number of the file's width."""
        form = self.order + layout.replace("N", "Q" if self.bits == 64 else "I")
        return struct.unpack(form, self.part(offset, struct.calcsize(form)))

    def text(self, offset: int, most: int = 4096) -> str:
        """The NUL-terminated string at ``offset``."""
        head, end, _ = self._data[offset : offset + most].partition(b"\0")
        if not end:
            msg = f"ELF file has a string without an end at {offset}"
            raise VerificationError(msg)
        return head.decode("utf-8", "replace")


@frozen
class _Header:
    kind: int
    machine: int
    flags: int
    segments_at: int
    segment_size: int
    segments: int
    sections_at: int
    section_size: int
    sections: int


def parse(data: ByteView) -> Elf:
    """Read an ELF file of any machine.

    Raises:
        VerificationError: it is not one, or points outside itself.
    """
    reader = _Reader(data)
    header = _header(reader)
    segments = list(_segments(reader, header))
    interpreters = [reader.text(one.offset) for one in segments if one.kind == _INTERPRETER]
    entries = [pair for one in segments if one.kind == _DYNAMIC for pair in _dynamic(reader, one)]
    return Elf(
        bits=reader.bits,
        little_endian=reader.little,
        kind=header.kind,
        machine=header.machine,
        flags=header.flags,
        interpreter=interpreters[0] if interpreters else None,
        needed=_strings(reader, segments, entries, {_NEEDED}),
        search=_strings(reader, segments, entries, {_RPATH, _RUNPATH}),
        arch=_riscv_arch(reader, header, segments) if header.machine == EM_RISCV else None,
    )


def _header(reader: _Reader) -> _Header:
    kind, machine, _, _, segments_at, sections_at, flags, _, *sizes = reader.fields(
        "HHINNNIHHHHHH", 16
    )
    segment_size, segments, section_size, sections, _ = sizes
    return _Header(
        kind,
        machine,
        flags,
        segments_at,
        segment_size,
        segments,
        sections_at,
        section_size,
        sections,
    )


def _segments(reader: _Reader, header: _Header) -> Iterator[_Segment]:
    for i in range(header.segments):
        at = header.segments_at + i * header.segment_size
        if reader.bits == 64:
            kind, _, offset, address, _, size = reader.fields("IINNNN", at)
        else:
            kind, offset, address, _, size = reader.fields("INNNN", at)
        yield _Segment(kind, offset, address, size)


def _dynamic(reader: _Reader, segment: _Segment) -> Iterator[tuple[int, int]]:
    step = 2 * reader.bits // 8
    for at in range(segment.offset, segment.offset + segment.size, step):
        tag, value = reader.fields("NN", at)
        if tag == 0:
            return
        yield tag, value


def _strings(
    reader: _Reader, segments: list[_Segment], entries: list[tuple[int, int]], tags: set[int]
) -> tuple[str, ...]:
    wanted = [value for tag, value in entries if tag in tags]
    tables = [value for tag, value in entries if tag == _STRINGS]
    if not wanted:
        return ()
    if not tables:
        msg = "ELF file names libraries without a string table"
        raise VerificationError(msg)
    table = _offset(segments, tables[0])
    return tuple(reader.text(table + value) for value in wanted)


def _offset(segments: list[_Segment], address: int) -> int:
    for one in segments:
        if one.kind == _LOAD and one.address <= address < one.address + one.size:
            return one.offset + address - one.address
    msg = f"ELF file has nothing at address {address:#x}"
    raise VerificationError(msg)


# ---- RISC-V attributes


def _riscv_arch(reader: _Reader, header: _Header, segments: list[_Segment]) -> str | None:
    places = [(one.offset, one.size) for one in segments if one.kind == _ATTRIBUTES]
    for offset, size in places or _attribute_sections(reader, header):
        return _arch_of(reader.part(offset, size), reader.order)
    return None


def _attribute_sections(reader: _Reader, header: _Header) -> Iterator[tuple[int, int]]:
    for i in range(header.sections):
        at = header.sections_at + i * header.section_size
        _, kind, _, _, offset, size = reader.fields("IINNNN", at)
        if kind == _ATTRIBUTES:
            yield offset, size


def _arch_of(data: bytes, order: str) -> str | None:
    """Tag_RISCV_arch of the file: ``A``, then vendors' parts, in them parts by scope."""
    try:
        at = 1
        while data[:1] == b"A" and at < len(data):
            (size,) = struct.unpack_from(order + "I", data, at)
            vendor, _, body = data[at + 4 : at + size].partition(b"\0")
            if vendor == b"riscv" and (found := _arch_in(body, order)) is not None:
                return found
            at += max(size, 1)
    except (struct.error, IndexError) as error:
        msg = "ELF file has damaged RISC-V attributes"
        raise VerificationError(msg) from error
    return None


def _arch_in(body: bytes, order: str) -> str | None:
    at = 0
    while at < len(body):
        scope, start = _number(body, at)
        (size,) = struct.unpack_from(order + "I", body, start)
        if scope == 1:  # Tag_File
            for tag, value in _attributes(body[start + 4 : at + size]):
                if tag == 5:  # Tag_RISCV_arch
                    return value.decode("ascii", "replace")
        at += max(size, 1)
    return None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        if tag % 2:  # odd tags have strings, even ones numbers
            end = data.index(b"\0", at) if b"\0" in data[at:] else len(data)
            yield tag, data[at:end]
            at = end + 1
        else:
            _, at = _number(data, at)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A ULEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


_VERSION = re.compile(r"\d+p\d+$")
_LETTER = re.compile(r"([a-z])(?:\d+p\d+)?")


def riscv_extensions(arch: str) -> frozenset[str]:
    """The extensions of an ISA string, without versions: ``rv64i2p1_m2p0_zba1p0`` → i, m, zba.

    Raises:
        VerificationError: not an ISA string.
    """
    head = re.match(r"rv(?:32|64|128)(?=[a-z])", arch)
    if head is None:
        msg = f"not a RISC-V ISA string: {arch[:80]!r}"
        raise VerificationError(msg)
    found: set[str] = set()
    for part in arch[head.end() :].split("_"):
        if part[:1] in {"z", "s", "x"}:
            found.add(_VERSION.sub("", part))
        else:
            found.update(_LETTER.findall(part))
    if "g" in found:
        found = found - {"g"} | {"i", "m", "a", "f", "d", "zicsr", "zifencei"}
    return frozenset(found)
