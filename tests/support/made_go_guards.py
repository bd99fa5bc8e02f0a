"""Functions of a Go program for riscv64 that look at the runtime's flags, or do not.

A function is a list of steps, which `assemble` makes instructions of. Jumps name steps by number.
"""

from __future__ import annotations

from attrs import evolve, frozen
from made_program import MadeProgram, go_build, go_functions, words

ADDI, RET, CPOP = 0x00150513, 0x00008067, 0x60251513
FLAG_AT = 0x200123
"""The address of a flag of the runtime's."""


@frozen
class Step:
    """One or two instructions; ``to`` is the number of the step that it leads to."""

    what: str
    register: int = 12
    to: int = 0


_SIZES = {"flag": 8, "other-byte": 8, "c.li": 2, "c.mv": 2, "c.addi": 2, "c.beqz": 2, "c.bnez": 2,
          "c.j": 2, "c.ret": 2, "c.sub": 2, "c.lw": 2}  # fmt: skip


def sizes(steps: list[Step]) -> list[int]:
    """How many bytes each step takes."""
    return [_SIZES.get(step.what, 4) for step in steps]


def assemble(steps: list[Step], start: int) -> bytes:
    """The instructions of a function that begins at an address."""
    places = [start]
    for size in sizes(steps):
        places.append(places[-1] + size)
    return b"".join(
        _encode(step, at, places[step.to]) for step, at in zip(steps, places, strict=False)
    )


def _encode(step: Step, at: int, target: int) -> bytes:
    r, offset = step.register, target - at
    low = max(r - 8, 0)  # how narrow instructions name x8 to x15
    name = step.what
    if name in {"flag", "other-byte"}:
        return load_byte(r, FLAG_AT + (name == "other-byte") - at)
    plain = {
        "c.li": 0x4005 | r << 7,  # c.li r, 1
        "c.mv": 0x8002 | r << 7 | 11 << 2,  # c.mv r, a1
        "c.addi": 0x0005 | r << 7,
        "c.sub": 0x8C01 | low << 7,  # c.sub r, s0
        "c.lw": 0x4000 | low << 2,  # c.lw r, 0(s0)
        "addi": 0x00158013 | r << 7,  # addi r, a1, 1
        "ld": 0x0005B003 | r << 7,  # ld r, 0(a1)
        "sd": 0x0005B023 | r << 20,  # sd r, 0(a1)
        "nop": 0x00000013,
        "call": 0x000080EF,  # jal ra, 0x8000 farther on
        "ret": RET,
        "c.ret": 0x8082,
        "cpop": CPOP,
        "beqz": 0x00000063 | r << 15 | _b_type(offset),
        "bnez": 0x00001063 | r << 15 | _b_type(offset),
        "j": 0x0000006F | _j_type(offset),
        "c.beqz": 0xC001 | low << 7 | _cb_type(offset),
        "c.bnez": 0xE001 | low << 7 | _cb_type(offset),
        "c.j": 0xA001 | _cj_type(offset),
    }
    return words(plain[name] & 0xFFFFFFFF)


def load_byte(register: int, offset: int) -> bytes:
    """``auipc`` and ``lbu`` of the byte that is ``offset`` bytes on."""
    upper = (offset + 0x800) >> 12
    lower = offset - (upper << 12) & 0xFFF
    return words(
        (upper & 0xFFFFF) << 12 | register << 7 | 0x17,
        lower << 20 | register << 15 | 4 << 12 | register << 7 | 0x03,
    )


def store_byte(offset: int) -> bytes:
    """``auipc t6`` and ``sb a0`` to the byte that is ``offset`` bytes on."""
    upper = (offset + 0x800) >> 12
    lower = offset - (upper << 12) & 0xFFF
    sb = lower >> 5 << 25 | 10 << 20 | 31 << 15 | (lower & 31) << 7 | 0x23
    return words((upper & 0xFFFFF) << 12 | 31 << 7 | 0x17, sb)


def _bit(value: int, source: int, to: int) -> int:
    return (value >> source & 1) << to


def _b_type(value: int) -> int:
    moved = _bit(value, 12, 31) | _bit(value, 11, 7)
    return moved | (value >> 5 & 63) << 25 | (value >> 1 & 15) << 8


def _j_type(value: int) -> int:
    moved = _bit(value, 20, 31) | _bit(value, 11, 20)
    return moved | (value >> 1 & 0x3FF) << 21 | (value >> 12 & 0xFF) << 12


def _cb_type(value: int) -> int:
    moved = _bit(value, 8, 12) | (value >> 3 & 3) << 10 | (value >> 6 & 3) << 5
    return moved | (value >> 1 & 3) << 3 | _bit(value, 5, 2)


def _cj_type(value: int) -> int:
    moved = _bit(value, 11, 12) | _bit(value, 4, 11) | (value >> 8 & 3) << 9 | _bit(value, 10, 8)
    return moved | _bit(value, 6, 7) | _bit(value, 7, 6) | (value >> 1 & 7) << 3 | _bit(value, 5, 2)


def go_program(steps: list[Step], *, writer: str = "internal/cpu.doinit") -> MadeProgram:
    """A Go program of a function ``x.count``, and of one that writes the flag."""
    made = MadeProgram(kind=3)
    count = assemble(steps, made.start + 8)
    after = 8 + len(count)
    code = words(ADDI, RET) + count + store_byte(FLAG_AT - made.start - after) + words(RET)
    functions = (("main.main", 0), ("x.count", 8), (writer, after))
    table = go_functions(made.start, *functions, size=len(code))
    build = (".go.buildinfo", go_build(GORISCV64="rva20u64"))
    return evolve(made, code=code, sections=((".gopclntab", table), build))
