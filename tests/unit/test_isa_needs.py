"""What programs need of a processor: what they say, what their instructions say, and silence."""

from __future__ import annotations

import struct

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from made_program import (
    FUNC,
    NOTYPE,
    OBJECT,
    MadeProgram,
    MadeSymbol,
    go_build,
    go_functions,
    property_note,
    words,
)

from rvbuild.core.audit import audit, unused
from rvbuild.core.derivation import OutputRule
from rvbuild.core.finding import Finding, Weight
from rvbuild.core.isa.riscv_code import MOST

ADDI, RET, JUMP = 0x00150513, 0x00008067, 0x00028067  # addi a0,a0,1; ret; jr t0
C_ADDI, C_RET = 0x0505, 0x8082
VSETVLI, CPOP, C_ZEXT_B, CUSTOM = 0x0D0072D7, 0x60251513, 0x9D61, 0x0000000B
RESERVED = 0x0000006B
AMD64, ARM64, LOONG64 = 62, 183, 258


def rule(arch: str = "riscv64", **detected: str) -> OutputRule:
    declared = tuple(detected.items())
    return OutputRule(name="x", path="x", kind="file", architecture=arch, detected=declared)


def found(made: MadeProgram | bytes, given: OutputRule | None = None) -> list[tuple[Weight, str]]:
    data = made if isinstance(made, bytes) else made.write()
    return [(one.weight, one.what) for one in audit(given or rule(), data)]


def program(*instructions: int, **rest: object) -> MadeProgram:
    return evolve(MadeProgram(code=words(*instructions)), **rest)


# ---- instructions


@pytest.mark.parametrize("instructions", [
    (ADDI, RET),
    (C_ADDI, ADDI, C_RET),
    (ADDI, 0x0000, 0x0000, ADDI, RET),  # padding
    (0x0100000F, 0x00200033, 0x00306013, RET),  # hints
    (),
])  # fmt: skip
def test_a_program_of_the_baseline_needs_no_word(instructions: tuple[int, ...]):
    assert found(program(*instructions)) == []


@pytest.mark.parametrize(("word", "extension"), [
    (VSETVLI, "v"), (CPOP, "zbb"), (C_ZEXT_B, "zcb"), (CUSTOM, "custom-0"), (0x0EB57533, "zicond"),
    (0x20B52533, "zba"), (0x48B51533, "zbs"), (0xF0108553, "zfa"), (0x02B5F77B - 0x20, "custom-2"),
])  # fmt: skip
@pytest.mark.parametrize("before", [(), (ADDI,), (C_ADDI,), (ADDI, C_ADDI, ADDI)])
@pytest.mark.parametrize("form", [
    {}, {"sectioned": False}, {"kind": 1}, {"kind": 3}, {"symbols": (MadeSymbol("plus", 0, 99),)},
])  # fmt: skip
def test_an_instruction_beyond_it_is_found(
    word: int, extension: str, before: tuple[int, ...], form: dict[str, object]
):
    """Wherever it stands, in programs with and without symbols and section headers."""
    made = program(*before, word, ADDI, RET, **form)
    at = made.start + len(words(*before))
    where = " in plus" if "symbols" in form else ""
    digits = 8 if word & 3 == 3 else 4
    said = f"the instruction {word:0{digits}x} at {at:#x}"
    assert found(made) == [(Weight.FAULT, f"it uses {extension} beyond rv64gc{where}: {said}")]


def test_instructions_are_told_by_function():
    symbols = (MadeSymbol("first", 0, 12), MadeSymbol("second", 12, 8))
    made = program(VSETVLI, CPOP, RET, CPOP, RET, symbols=symbols, kind=1)
    assert [what for _, what in found(made)] == [
        f"it uses v, zbb beyond rv64gc in first: 2 instructions, the first {VSETVLI:08x} at 0x0",
        f"it uses zbb beyond rv64gc in second: the instruction {CPOP:08x} at 0xc",
    ]


def test_of_many_functions_some_are_told():
    symbols = tuple(MadeSymbol(f"f{at}", 8 * at, 8) for at in range(20))
    texts = [what for _, what in found(program(*(CPOP, RET) * 20, symbols=symbols))]
    assert len(texts) == 9
    assert texts[-1] == "so do 12 other functions"


def test_what_is_not_read_any_more_is_told():
    """However many a declaration fits, the next one is found; and an end is no silent one."""
    declared = rule(**{"copy_*": "asks hwprobe"})

    def many(count: int) -> list[tuple[Weight, str]]:
        symbols = (MadeSymbol("copy_v", 0, 4 * count), MadeSymbol("evil", 4 * count, 8))
        return found(program(*[CPOP] * count, CPOP, RET, symbols=symbols), declared)

    assert [weight for weight, _ in many(MOST - 1)] == [Weight.FAULT, Weight.DETECTED]
    (detected, _), unknown = many(MOST)
    assert detected is Weight.DETECTED
    said = "more than 100,000 instructions of it are beyond rv64gc: it was not read from"
    assert unknown == (Weight.UNKNOWN, f"{said} {0x10080 + 4 * MOST:#x} in evil on")


def test_gos_table_names_functions_of_stripped_programs():
    made = program(ADDI, RET, CPOP, RET)
    table = go_functions(made.start, ("main.main", 0), ("example.org/x.count", 8), size=16)
    for text in (table, go_functions(0, ("main.main", 0), ("example.org/x.count", 8), size=16)):
        (one,) = found(evolve(made, sections=((".gopclntab", text),)))
        assert "beyond rv64gc in example.org/x.count: " in one[1]
    for text in (table[:40], b"\xf2" + table[1:], table[:64] + bytes([255] * 8) + table[72:]):
        (one,) = found(evolve(made, sections=((".gopclntab", text),)))
        assert "beyond rv64gc: the instruction " in one[1]  # a table of another Go is no fault


def test_a_member_of_an_archive_is_looked_into():
    member = program(CPOP, RET, kind=1).write()
    header = f"{'a.o/':<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(member):<10}`\n".encode()
    assert found(b"!<arch>\n" + header + member + b"\n" * (len(member) % 2)) == [
        (Weight.FAULT, f"member a.o: it uses zbb beyond rv64gc: the instruction {CPOP:08x} at 0x0")
    ]


# ---- data among code

TABLE = (0x00000057, 0x00000157)  # could be instructions of V


@pytest.mark.parametrize("after", [RET, JUMP, C_RET, 0xA001, 0x0000006F])
def test_a_table_with_what_is_no_instruction_is_doubtful(after: int):
    """After a jump may come data: as long as nothing says so, it is not taken for fit."""
    made = program(ADDI, after, *TABLE, RESERVED, ADDI)
    ((weight, what),) = found(made)
    assert weight is Weight.UNKNOWN
    at = made.start + len(words(ADDI, after))
    assert what.endswith(f"not known: at {at:#x}, and at 2 other places")


@pytest.mark.parametrize("table", [TABLE, (*TABLE, RESERVED)])
@pytest.mark.parametrize("said", [MadeSymbol("$d", 8, kind=NOTYPE), MadeSymbol("t", 8, 12, OBJECT)])
def test_a_mark_makes_no_data_of_what_a_jump_may_lead_to(said: MadeSymbol, table: tuple[int, ...]):
    symbols = (MadeSymbol("f", 0, 8), said)
    for first in (ADDI, 0x0080006F):  # or a jump to the table
        ((weight, _),) = found(program(first, RET, *table, symbols=symbols))
        assert weight is Weight.UNKNOWN


def test_after_a_mark_of_code_there_is_code():
    code, mark = (ADDI, RET, *TABLE, RESERVED), MadeSymbol("$d", 8, kind=NOTYPE)
    back = MadeSymbol("$xrv64gcv", 20, kind=NOTYPE)
    told = found(program(*code, VSETVLI, RET, symbols=(mark, back)))
    assert [weight for weight, _ in told] == [Weight.FAULT, Weight.UNKNOWN]


@pytest.mark.parametrize("symbols", [
    (MadeSymbol("f", 0, 12), MadeSymbol("$d", 4, kind=NOTYPE), MadeSymbol("$x", 8, kind=NOTYPE)),
    (MadeSymbol("f", 0, 12), MadeSymbol("$d", 0, kind=NOTYPE)),
])  # fmt: skip
def test_what_the_processor_runs_into_is_code_whatever_marks_say(symbols: tuple[MadeSymbol, ...]):
    """``.word`` for an instruction that the assembler does not know gets a mark of data."""
    ((weight, what),) = found(program(ADDI, VSETVLI, RET, symbols=symbols))
    assert weight is Weight.FAULT
    assert " in f: " in what


def test_headers_and_other_sections_of_a_segment_that_runs_are_no_code():
    """The segment of the made program starts with the file's header, as some linkers have it."""
    made = evolve(program(ADDI, RET), sectioned=False)
    assert found(made) == []
    assert found(MadeProgram(code=made.write()[:64])) != []  # control: as code it is not


# ---- declarations


def test_declared_code_is_told_with_its_reason():
    symbols = (MadeSymbol("copy_v", 0, 8), MadeSymbol("other", 8, 8))
    made = program(VSETVLI, RET, CPOP, RET, symbols=symbols)
    declared = rule(**{"copy_*": "asks hwprobe", "gone_*": "asks nobody"})
    fault, detected = audit(declared, made.write())
    assert (detected.weight, detected.pattern) == (Weight.DETECTED, "copy_*")
    assert detected.what == (
        "it asks the processor before it uses v beyond rv64gc in copy_v: asks hwprobe"
    )
    assert fault.weight is Weight.FAULT
    (idle,) = unused(declared, {detected.pattern})
    assert idle == Finding("x", idle.what, "take it out of the recipe", Weight.UNUSED)
    assert "'gone_*'" in idle.what


def test_only_where_instructions_are_read_a_declaration_can_be_unused():
    declared = rule("arm64", **{"copy_*": "asks hwprobe"})
    assert list(unused(declared, set())) == []


# ---- what libgcc asks by itself

READ_VLENB = 0xC2202573  # csrr a0, vlenb


@pytest.mark.parametrize("name", ["_Unwind_GetGR", "uw_init_context_1", "execute_cfa_program", ""])
def test_the_unwinder_of_libgcc_is_told(name: str):
    symbols = (MadeSymbol(name, 0, 8),) if name else ()
    ((weight, what),) = found(program(READ_VLENB, RET, symbols=symbols))
    assert weight is Weight.DETECTED
    assert what.endswith(": libgcc reads vlenb for frames with vectors alone")


@pytest.mark.parametrize(("instructions", "name"), [
    ((READ_VLENB, RET), "copy_v"),
    ((READ_VLENB, VSETVLI, RET), "_Unwind_GetGR"),
    ((READ_VLENB, VSETVLI, RET), ""),
    ((0xC2102573, RET), "_Unwind_GetGR"),  # csrr a0, vtype
])  # fmt: skip
def test_not_everybody_is_the_unwinder(instructions: tuple[int, ...], name: str):
    symbols = (MadeSymbol(name, 0, 99),) if name else ()
    ((weight, _),) = found(program(*instructions, symbols=symbols))
    assert weight is Weight.FAULT


# ---- what programs say


def go(machine: int, **settings: str) -> MadeProgram:
    return program(ADDI, RET, machine=machine, sections=((".go.buildinfo", go_build(**settings)),))


LEVELS = [
    ("riscv64", 243, "GORISCV64", "rva20u64", ["rva22u64", "rva23u64"]),
    ("amd64", AMD64, "GOAMD64", "v1", ["v2", "v3", "v4"]),
    ("arm64", ARM64, "GOARM64", "v8.0", ["v8.1", "v9.0", "v8.0,lse", "v8.0,crypto"]),
]


@pytest.mark.parametrize(("arch", "machine", "variable", "level", "more"), LEVELS)
def test_gos_build_information(arch: str, machine: int, variable: str, level: str, more: list[str]):
    fit = {variable: level, "CGO_ENABLED": "0"}
    assert found(go(machine, **fit), rule(arch)) == []
    assert found(go(machine, GOOS="linux"), rule(arch)) == []  # a Go that knows no levels
    for each in more:
        ((weight, what),) = found(go(machine, **{**fit, variable: each}), rule(arch))
        assert weight is Weight.FAULT
        assert what.startswith(f"its Go code is for {variable}={each}, beyond ")


def test_gos_build_information_without_section_headers_or_settings():
    segments = evolve(go(AMD64, GOAMD64="v3"), sectioned=False).write()
    writable = segments[:68] + b"\7" + segments[69:]
    # the segment is longer by what follows the code
    size = struct.pack("<Q", len(segments))
    writable = writable[:96] + size + size + writable[112:]
    assert [weight for weight, _ in found(writable, rule("amd64"))] == [Weight.FAULT]
    old = b"\xff Go buildinf:\x08\x00" + bytes(16)  # Go before 1.18: pointers
    made = program(ADDI, RET, machine=AMD64, sections=((".go.buildinfo", old),))
    assert [weight for weight, _ in found(made, rule("amd64"))] == [Weight.UNKNOWN]


@pytest.mark.parametrize(("arch", "machine"), [("amd64", AMD64), ("arm64", ARM64)])
def test_silence_is_told(arch: str, machine: int):
    silent = [(Weight.UNKNOWN, "nothing in it says which instructions it needs")]
    assert found(program(ADDI, RET, machine=machine), rule(arch)) == silent
    assert found(program(machine=machine), rule(arch)) == []  # without code there is nothing to say
    cgo = [(Weight.UNKNOWN, "its C code does not say which instructions it needs")]
    assert found(go(machine, CGO_ENABLED="1"), rule(arch)) == cgo


X86_NEEDED = 0xC0008002


@pytest.mark.parametrize(("bits", "says"), [
    (0b1, None), (0b10, "x86-64-v2"), (0b1111, "x86-64-v2, x86-64-v3, x86-64-v4"),
    (0b100001, "x86-64 level bits 0x2"),
])  # fmt: skip
def test_the_levels_of_a_note(bits: int, says: str | None):
    note = property_note(X86_NEEDED, struct.pack("<I", bits))
    made = program(ADDI, machine=AMD64, sections=((".note.gnu.property", note),))
    text = f"it needs levels beyond x86-64: {says}"
    assert found(made, rule("amd64")) == ([(Weight.FAULT, text)] if says else [])


@pytest.mark.parametrize(("kind", "data", "weight"), [
    (0xC0000000, struct.pack("<I", 3), Weight.UNKNOWN),  # BTI and PAC, as no-ops elsewhere
    (0xC0000001, struct.pack("<QQ", 0x10000002, 85), Weight.FAULT),
    (0xC0000001, bytes(16), Weight.UNKNOWN),
])  # fmt: skip
def test_the_features_of_a_note(kind: int, data: bytes, weight: Weight):
    made = program(
        ADDI, machine=ARM64, sections=((".note.gnu.property", property_note(kind, data)),)
    )
    assert [one for one, _ in found(made, rule("arm64"))] == [weight]


def test_an_architecture_without_a_baseline_is_not_asked_for_one():
    data = bytearray(program(ADDI, machine=LOONG64).write())
    data[48:52] = struct.pack("<I", 0x43)
    assert found(bytes(data), rule("loong64")) == []


@given(st.data())
def test_damage_never_ends_an_audit(data: st.DataObject):
    """Whatever bytes of a good program change, its audit says something or nothing."""
    made = program(
        VSETVLI, C_ADDI, CPOP, RET, *TABLE,
        symbols=(MadeSymbol("f", 0, 8, FUNC), MadeSymbol("$d", 12, kind=NOTYPE)),
        sections=(
            (".go.buildinfo", go_build(GORISCV64="rva20u64")),
            (".note.gnu.property", property_note(X86_NEEDED, bytes(4))),
            (".gopclntab", go_functions(0, ("a", 0), ("b", 8), size=16)),
        ),
    ).write()  # fmt: skip
    image = bytearray(made)
    for _ in range(data.draw(st.integers(1, 5))):
        image[data.draw(st.integers(4, len(image) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(image[: data.draw(st.integers(0, len(image)))])
    for arch in ("riscv64", "amd64"):
        assert all(isinstance(what, str) for _, what in found(cut, rule(arch)))
