"""What Go's code asks of a processor by itself: a flag of the runtime's, before it goes beyond."""

from __future__ import annotations

import pytest
from attrs import evolve
from made_go_guards import FLAG_AT, Step, go_program, load_byte
from made_program import MadeProgram, MadeSymbol, go_functions, words

from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf_tables import read_tables
from rvbuild.core.finding import Weight
from rvbuild.core.isa.go_program import read_functions

CPOP, RET = 0x60251513, 0x00008067


def found(made: MadeProgram) -> list[tuple[Weight, str]]:
    rule = OutputRule(name="x", path="x", kind="file", architecture="riscv64")
    return [(one.weight, one.what) for one in audit(rule, made.write())]


def weights(made: MadeProgram) -> set[Weight]:
    return {weight for weight, _ in found(made)}


def steps(text: str) -> list[Step]:
    """Steps by name; ``bnez:4`` leads to the fifth, ``c.li@8`` writes x8."""
    made = []
    for word in text.split():
        name, _, to = word.partition(":")
        name, _, register = name.partition("@")
        made.append(Step(name, int(register or 12), int(to or 0)))
    return made


GUARDED = [
    "flag beqz:3 cpop ret",
    "flag c.beqz:3 cpop ret",
    "flag c.addi@8 addi@8 beqz:5 cpop ret",
    "flag sd beqz:4 cpop ret",
    "flag bnez:4 nop ret cpop ret",
    "flag c.bnez:3 c.ret cpop ret",
    "flag bnez:3 j:4 cpop ret",
    "flag bnez:3 c.j:4 cpop ret",
    "flag beqz:4 c.sub@8 cpop ret",
    "flag beqz:4 c.lw@8 cpop ret",
    "flag beqz:3 cpop flag beqz:6 cpop ret",
    "flag beqz:4 cpop bnez@8:2 ret",  # a loop
    "flag beqz:3 cpop nop",  # which ends where the function ends
    "flag beqz:5 call nop cpop ret",  # a flag that was set stays so
    "bnez@8:3 flag beqz:6 flag beqz:6 cpop ret",  # on both ways
]
UNGUARDED = [
    "cpop ret",
    "flag cpop ret",  # nobody looks at the flag
    "flag beqz:3 nop cpop ret",  # past the branch's target
    "flag bnez:3 nop cpop ret",  # with and without the flag
    "flag bnez:3 beqz@8:3 ret cpop ret",
    "flag beqz:4 j:4 nop cpop ret",
    "flag bnez:2 cpop ret",
    "other-byte beqz:3 cpop ret",
    "flag addi beqz:4 cpop ret",
    "flag ld beqz:4 cpop ret",
    "flag c.li beqz:4 cpop ret",
    "flag c.mv beqz:4 cpop ret",
    "flag c.addi c.beqz:4 cpop ret",
    "flag@8 c.sub@8 c.beqz@8:4 cpop ret",
    "flag@8 c.lw@8 c.beqz@8:4 cpop ret",
    "flag call beqz:4 cpop ret",
    "flag beqz@8:3 cpop ret",
    "bnez@8:3 flag beqz:4 cpop ret",  # on one of two ways
    "flag beqz:4 cpop cpop cpop ret",  # one of three is not
    "ret flag ret cpop ret",  # no way leads there
]


@pytest.mark.parametrize("text", GUARDED)
def test_code_behind_a_flag_is_told(text: str):
    ((weight, what),) = found(go_program(steps(text)))
    assert weight is Weight.DETECTED
    assert what.endswith(" beyond rv64gc in x.count: Go's code tests a flag")


@pytest.mark.parametrize("text", UNGUARDED)
def test_code_that_does_not_ask_is_a_fault(text: str):
    assert Weight.FAULT in weights(go_program(steps(text)))


@pytest.mark.parametrize(("writer", "weight"), [
    ("internal/cpu.osInit", Weight.DETECTED),
    ("golang.org/x/sys/cpu.doinit", Weight.DETECTED),
    ("vendor/golang.org/x/sys/cpu.doinit", Weight.DETECTED),
    ("example.org/internal/cpu.doinit", Weight.FAULT),
    ("runtime.schedinit", Weight.FAULT),  # what it writes is no copy of a flag
])  # fmt: skip
def test_a_flag_is_what_the_runtime_writes(writer: str, weight: Weight):
    assert weights(go_program(steps(GUARDED[0]), writer=writer)) == {weight}


def test_the_runtime_copies_flags():
    """``riscv64HasZbb = cpu.RISCV64.HasZbb``; the copy is tested, and it alone is written there."""
    made = go_program(steps("other-byte beqz:3 cpop ret"))
    assert weights(made) == {Weight.FAULT}
    at = len(made.code)
    copy = load_byte(10, FLAG_AT - made.start - at) + load_byte(
        31, FLAG_AT + 1 - made.start - at - 8
    )
    store = copy[:-4] + words(copy_store(copy[-4:]), RET)
    detecting = made.code.rindex(words(0x00008067)) - 8
    functions = (("main.main", 0), ("x.count", 8), ("internal/cpu.osInit", detecting),
                 ("runtime.schedinit", at))  # fmt: skip
    table = go_functions(made.start, *functions, size=at + len(store))
    sections = ((".gopclntab", table), made.sections[1])
    assert weights(evolve(made, code=made.code + store, sections=sections)) == {Weight.DETECTED}


def copy_store(load: bytes) -> int:
    """``sb a0`` to where ``lbu t6`` loads from."""
    lower = int.from_bytes(load, "little") >> 20
    return lower >> 5 << 25 | 10 << 20 | 31 << 15 | (lower & 31) << 7 | 0x23


@pytest.mark.parametrize("text", GUARDED)
def test_only_go_asks_so(text: str):
    made = go_program(steps(text))
    assert Weight.FAULT in weights(evolve(made, sections=made.sections[:1]))
    symbols = (MadeSymbol("x.count", 8, 99),)
    assert Weight.FAULT in weights(evolve(made, sections=made.sections[1:], symbols=symbols))


def test_functions_are_followed_one_by_one():
    two = steps("flag beqz:3 cpop ret flag beqz:7 cpop ret")
    symbols = (MadeSymbol("f", 8, 20), MadeSymbol("g", 28, 20))
    ((weight, what),) = found(evolve(go_program(two), symbols=symbols))
    assert weight is Weight.DETECTED
    assert "in f, g: " in what


@pytest.mark.parametrize(("count", "weight"), [(3, Weight.DETECTED), (28, Weight.FAULT)])
def test_too_many_ways_are_not_followed(count: int, weight: Weight):
    """Each loop through the long part loses another register: no time is lost with such code."""
    registers = [r for r in range(1, 32) if r not in {10, 11, 12}][:count]
    length = 100
    first = count + length + count + 4
    code = [Step("flag", r) for r in registers] + [Step("nop")] * length
    code += [Step("beqz", 11, first + 2 * n) for n in range(count)]
    code += [Step("flag"), Step("beqz", 12, first - 1), Step("cpop"), Step("ret")]
    for r in registers:
        code += [Step("addi", r), Step("j", to=count)]
    assert weights(go_program(code)) == {weight}


def test_a_function_whose_end_nobody_says_is_not_followed():
    made = evolve(go_program(steps(GUARDED[0])), symbols=(MadeSymbol("x.count", 8, 0),))
    assert weights(made) == {Weight.FAULT}


def test_functions_begin_where_the_runtime_says():
    """As of Go 1.26, where the table does not, and C code may come first."""
    made = go_program(steps(GUARDED[0]))
    table = go_functions(0, ("x.count", 0), size=24)
    module = bytes(22 * 8) + (made.start + 8).to_bytes(8, "little")
    for sections, start in (((), made.start), (((".go.module", module),), made.start + 8)):
        data = evolve(made, sections=((".gopclntab", table), *sections)).write()
        functions = read_functions(read_tables(data))
        assert functions is not None
        count = functions.at(start)
        assert count is not None
        assert (count.address, count.size) == (start, 24)
