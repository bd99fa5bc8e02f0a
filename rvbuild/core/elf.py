"""ELF files: as much of them as an audit of outputs needs.

Knows: bytes. Must not know: what is wanted of them, files, targets.
Sources: System V ABI (gABI) chapter 5; RISC-V ELF psABI ("File Header", "Attributes").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.architecture import EM_RISCV
from rvbuild.core.elf_tables import (
    EXECUTABLE,
    MAGIC,
    OBJECT,
    SHARED,
    ByteView,
    ElfReader,
    ElfSegment,
    ElfTables,
    read_tables,
)
from rvbuild.core.errors import Malformed
from rvbuild.core.uleb128 import read_uleb128

__all__ = ["EXECUTABLE", "MAGIC", "OBJECT", "SHARED", "ByteView", "Elf", "parse", "read_elf"]

_DYNAMIC, _INTERPRETER = 2, 3  # p_type
_ATTRIBUTES = 0x70000003  # p_type PT_RISCV_ATTRIBUTES and sh_type SHT_RISCV_ATTRIBUTES
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29  # d_tag


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


def parse(data: ByteView) -> Elf:
    """Read an ELF file of any machine.

    Raises:
        Malformed: it is not one, or points outside itself.
    """
    return read_elf(read_tables(data))


def read_elf(tables: ElfTables) -> Elf:
    """What the file with these tables says of itself.

    Raises:
        Malformed: it points outside itself.
    """
    reader = tables.reader
    interpreter, dynamic = tables.segment(_INTERPRETER), tables.segment(_DYNAMIC)
    entries = list(_dynamic(reader, dynamic)) if dynamic else []
    return Elf(
        bits=reader.bits,
        little_endian=reader.little,
        kind=tables.kind,
        machine=tables.machine,
        flags=tables.flags,
        interpreter=reader.text(interpreter.offset) if interpreter else None,
        needed=_strings(tables, entries, {_NEEDED}),
        search=_strings(tables, entries, {_RPATH, _RUNPATH}),
        arch=_riscv_arch(tables) if tables.machine == EM_RISCV else None,
    )


def _dynamic(reader: ElfReader, segment: ElfSegment) -> Iterator[tuple[int, int]]:
    step = 2 * reader.bits // 8
    for at in range(segment.offset, segment.offset + segment.size, step):
        tag, value = reader.fields("NN", at)
        if tag == 0:
            return
        yield tag, value


def _strings(tables: ElfTables, entries: list[tuple[int, int]], tags: set[int]) -> tuple[str, ...]:
    wanted = [value for tag, value in entries if tag in tags]
    strings = [value for tag, value in entries if tag == _STRINGS]
    if not wanted:
        return ()
    if not strings:
        msg = "ELF file names libraries without a string table"
        raise Malformed(msg)
    start = tables.offset(strings[0])
    return tuple(tables.reader.text(start + value) for value in wanted)


# ---- RISC-V attributes


def _riscv_arch(tables: ElfTables) -> str | None:
    reader = tables.reader
    segment = tables.segment(_ATTRIBUTES)
    if segment is not None:
        return _arch_of(reader.part(segment.offset, segment.size), reader.order)
    for section in tables.sections:
        if section.kind == _ATTRIBUTES:
            return _arch_of(reader.part(section.offset, section.size), reader.order)
    return None


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
    except (struct.error, Malformed) as error:
        msg = "ELF file has damaged RISC-V attributes"
        raise Malformed(msg) from error
    return None


def _arch_in(body: bytes, order: str) -> str | None:
    at = 0
    while at < len(body):
        scope, start = read_uleb128(body, at)
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
        tag, at = read_uleb128(data, at)
        if tag % 2:  # odd tags have strings, even ones numbers
            end = data.find(b"\0", at) % (len(data) + 1)  # or where the data end
            yield tag, data[at:end]
            at = end + 1
        else:
            _, at = read_uleb128(data, at)
