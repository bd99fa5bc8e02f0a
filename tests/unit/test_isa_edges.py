"""Where tables of programs are odd, long or damaged: what is read of them all the same."""

from __future__ import annotations

import struct

import pytest
from attrs import evolve
from made_program import (
    NOTYPE,
    MadeProgram,
    MadeSymbol,
    go_build,
    go_functions,
    property_note,
    words,
)

from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf_tables import read_tables
from rvbuild.core.errors import Malformed
from rvbuild.core.finding import Weight
from rvbuild.core.gomod import declared_module
from rvbuild.core.isa.elf_notes import x86_levels
from rvbuild.core.isa.elf_symbols import FUNCTION, Symbol, read_symbols
from rvbuild.core.isa.go_program import read_build, read_functions

ADDI, RET, C_ADDI = 0x00150513, 0x00008067, 0x0505
CPOP, C_LW = 0x60251513, 0x4100  # cpop; c.lw s0,0(a0)
AMD64, X86_NEEDED = 62, 0xC0008002
MAGIC = b"\xff Go buildinf:"


def found(data: bytes, arch: str = "riscv64") -> list[tuple[Weight, str]]:
    rule = OutputRule(name="x", path="x", kind="file", architecture=arch)
    return [(one.weight, one.what) for one in audit(rule, data)]


def program(*instructions: int, **rest: object) -> MadeProgram:
    return evolve(MadeProgram(code=words(*instructions)), **rest)


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    new = struct.pack(f"<{form}", value)
    return data[:at] + new + data[at + len(new) :]


# ---- section headers

SHOFF, SHNUM, SHSTRNDX = 40, 60, 62  # in the header of an ELF file of 64 bits
SH_SIZE, SH_LINK = 32, 40  # in a section header


def test_more_sections_than_the_header_can_count_are_counted_in_the_first():
    data = program(CPOP, RET, symbols=(MadeSymbol("f", 0, 8),)).write()
    (first,) = struct.unpack_from("<Q", data, SHOFF)
    count, names = struct.unpack_from("<HH", data, SHNUM)
    many = patched(patched(data, SHNUM, "H", 0), first + SH_SIZE, "Q", count)
    many = patched(patched(many, SHSTRNDX, "H", 0xFFFF), first + SH_LINK, "I", names)
    assert found(many) == found(data)
    assert " in f: " in found(data)[0][1]


def test_sections_without_names_have_none():
    data = patched(program(CPOP, RET).write(), SHSTRNDX, "H", 0)
    assert {section.name for section in read_tables(data).sections} == {""}
    assert [weight for weight, _ in found(data)] == [Weight.FAULT]


# ---- symbols


def test_a_label_names_what_follows_it():
    symbols = (MadeSymbol("label", 0, 0, NOTYPE), MadeSymbol("later", 400, 8))
    ((_, what),) = found(program(ADDI, CPOP, RET, symbols=symbols).write())
    assert " in label: " in what


def test_symbols_without_their_names_are_none():
    data = program(CPOP, RET, symbols=(MadeSymbol("f", 0, 8),)).write()
    (first,) = struct.unpack_from("<Q", data, SHOFF)
    (count,) = struct.unpack_from("<H", data, SHNUM)
    kinds = [struct.unpack_from("<I", data, first + 64 * n + 4)[0] for n in range(count)]
    lost = patched(data, first + 64 * kinds.index(2) + SH_LINK, "I", 99)
    ((_, what),) = found(lost)
    assert " in " not in what.partition(":")[0]


def test_the_symbols_of_a_file_of_32_bits():
    names = b"\0f\0"
    table = bytes(16) + struct.pack("<IIIBBH", 1, 0x1000, 8, 2, 0, 1)
    at = 52 + 3 * 40
    sections = struct.pack("<10I", *[0] * 10)
    sections += struct.pack("<10I", 0, 2, 0, 0, at, len(table), 2, 0, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, at + len(table), len(names), 0, 0, 1, 0)
    head = b"\x7fELF\1\1\1" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, 0, 0, 52, 0, 52, 32, 0, 40, 3, 0)
    (symbols,) = read_symbols(read_tables(head + sections + table + names)).values()
    symbol = symbols.at(0x1004)
    assert symbol is not None
    assert (symbol.name, symbol.address, symbol.size) == ("f", 0x1000, 8)


# ---- notes


def noted(*notes: bytes) -> bytes:
    section = (".note.gnu.property", b"".join(notes))
    return program(ADDI, machine=AMD64, sections=(section,)).write()


def test_other_notes_are_passed_over():
    other = struct.pack("<III", 4, 8, 3) + b"GNU\0" + bytes(8)
    needs_v2 = property_note(X86_NEEDED, struct.pack("<I", 2))
    assert x86_levels(read_tables(noted(other, needs_v2))) == {"x86-64-v2"}


def test_a_note_that_ends_in_a_property_is_damaged():
    with pytest.raises(Malformed, match="damaged property note"):
        x86_levels(read_tables(noted(struct.pack("<III", 4, 4, 5) + b"GNU\0" + bytes(4))))


# ---- what Go leaves


def built(data: bytes) -> MadeProgram:
    return program(ADDI, RET, machine=AMD64, sections=((".go.buildinfo", data),))


def test_build_information_is_at_a_round_offset():
    """The same bytes elsewhere are of somebody who looks for it, as the go command does."""
    aside = bytes(8) + MAGIC + bytes(16 - (8 + len(MAGIC)) % 16)
    build = read_build(read_tables(built(aside + go_build(GOAMD64="v3")).write()))
    assert build is not None
    assert build.settings["GOAMD64"] == "v3"
    assert read_build(read_tables(built(aside).write())) is None


def test_long_build_information_is_read():
    build = read_build(read_tables(built(go_build(ldflags="x" * 70_000)).write()))
    assert build is not None
    assert len(build.settings["ldflags"]) == 70_000


def test_build_information_of_gigabytes_is_damaged():
    endless = go_build()[:32] + b"\xff\xff\xff\xff\x0f"
    with pytest.raises(Malformed, match="build information is damaged"):
        read_build(read_tables(built(endless).write()))


def test_functions_that_are_not_there_have_no_names():
    made = program(ADDI, RET, kind=3)
    table = go_functions(made.start, ("main.main", 0), size=8)
    functions = read_functions(read_tables(evolve(made, sections=((".gopclntab", table),)).write()))
    assert functions is not None
    assert functions.at(made.start) == Symbol(made.start, 8, "main.main", FUNCTION)
    assert functions.at(0) is None
    lost = table[: -12 - 8] + struct.pack("<II", 0, 1 << 30) + table[-12:]
    functions = read_functions(read_tables(evolve(made, sections=((".gopclntab", lost),)).write()))
    assert functions is not None
    assert functions.at(made.start) is None


# ---- code without names


FROM_T1 = 0x00030513  # addi a0,t1,0: its second half looks as if an instruction began there


@pytest.mark.parametrize(
    "before", [(ADDI,) * 200, (FROM_T1,) * 200, (ADDI,) * 100 + (C_ADDI,) + (ADDI,) * 40]
)
def test_far_from_the_beginning_instructions_are_found(before: tuple[int, ...]):
    ((weight, what),) = found(program(*before, CPOP, RET).write())
    assert weight is Weight.FAULT
    assert "it uses zbb beyond rv64gc: the instruction " in what


def test_code_that_ends_in_an_instruction_is_read_to_its_end():
    made = MadeProgram(code=words(ADDI, CPOP, ADDI)[:-2])
    assert [weight for weight, _ in found(made.write())] == [Weight.FAULT]


def test_narrow_instructions_that_begin_like_padding_are_none():
    assert found(program(ADDI, C_LW, C_LW, RET).write()) == []


# ---- go.mod files


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"// a comment\ngo 1.20\nmodule example.org/m/v2\n", "example.org/m/v2"),
        (b"go 1.20\n", ""),
        (b"", ""),
        (b"module a b\n", ""),
        (b"require (\n", ""),
    ],
)
def test_the_path_that_a_go_mod_declares(text: bytes, path: str):
    assert declared_module(text) == path
