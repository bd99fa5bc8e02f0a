"""RISC-V's encodings: what belongs to rv64gc and what is beyond it, alone and among others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from made_program import words

from rvbuild.core.errors import Malformed
from rvbuild.core.isa import riscv_scan
from rvbuild.core.isa.riscv_names import riscv_extensions
from rvbuild.core.isa.riscv_opcodes import BASE, RESERVED, extension_of
from rvbuild.core.isa.riscv_scan import candidates

RV64GC = {"i", "m", "a", "f", "d", "c", "c_d", "zicsr", "zifencei", "s", "system"}
OTHER_NAMES = {"zicbo": {"zicbom", "zicboz"}, "zabha_zacas": {"zabha"}, "zfhmin": {"zfh"},
               "d_zfhmin": {"zfh", "q"}, "q_zfhmin": {"zfh", "q"}, "q_zfa": {"zfa", "q"},
               "svinval_h": {"h"},
               "zbkb": {"zbkb", "zbb"}, "zknd": {"zknd", "zkne"}}  # fmt: skip
"""Where the table has a wider name, or an instruction is of two extensions."""


@frozen
class Instruction:
    """A line of the table."""

    extension: str
    name: str
    mask: int
    value: int
    bits: int
    limit: str

    @property
    def extensions(self) -> set[str]:
        if self.extension.startswith("zv"):
            return {"v", "zvk"}
        return OTHER_NAMES.get(self.extension, {self.extension.split("_")[-1]})

    def with_operands(self, operands: int) -> int:
        """The instruction with these bits where it has operands."""
        word = self.value | operands & ~self.mask & ((1 << self.bits) - 1)
        if self.limit == "rm" and word >> 12 & 7 in {5, 6}:
            return word & ~0x7000
        if self.limit == "csr":
            return word & 0x000FFFFF | 0x00100000  # fflags
        if self.limit == "n0":
            return word | 0x02A4 & ~self.mask  # a bit in every field
        return word


def table() -> Iterator[Instruction]:
    text = (Path(__file__).parent / "data/riscv_instructions.txt").read_text()
    for line in text.splitlines():
        if not line.startswith("#"):
            extension, name, mask, value, limit = f"{line} -".split(" ")[:5]
            bits = 4 * len(mask)
            yield Instruction(extension, name, int(mask, 16), int(value, 16), bits, limit)


INSTRUCTIONS = tuple(table())


def operands() -> Iterator[int]:
    yield from (0, 0xFFFFFFFF)
    chosen = random.Random(11)  # noqa: S311
    yield from (chosen.getrandbits(32) for _ in range(40))


def test_every_instruction_has_its_extension():
    """Whatever its operands are: what is of rv64gc is, and nothing else is."""
    wrong = {
        (one.name, f"{word:x}", extension_of(word))
        for one in INSTRUCTIONS
        for word in map(one.with_operands, operands())
        if extension_of(word) not in ({BASE} if one.extension in RV64GC else one.extensions)
    }
    assert wrong == set()


def test_the_table_of_the_test_has_both_kinds():
    assert len([one for one in INSTRUCTIONS if one.extension in RV64GC]) > 150
    assert len({one.extension for one in INSTRUCTIONS} - RV64GC) > 40


@pytest.mark.parametrize("word", [
    0x0100000F,  # pause
    0x00200033, 0x00300033, 0x00400033, 0x00500033,  # ntl.p1, .pall, .s1, .all
    0x900A, 0x900E, 0x9012, 0x9016,  # c.ntl.p1, .pall, .s1, .all
    0x00006013, 0x00106013, 0x00306013,  # prefetch.i, .r, .w
    0x00001017,  # lpad 1
    0x8330000F,  # fence.tso
    0xC0001073,  # unimp, as assemblers write it
    0xC0102573,  # rdtime a0
    0x00000013, 0x0001, 0x0085,  # nop, c.nop, c.addi ra, 1
])  # fmt: skip
def test_hints_do_nothing_on_the_baseline(word: int):
    assert extension_of(word) == BASE


@pytest.mark.parametrize(("word", "extension"), [
    (0x0000000B, "custom-0"), (0x0000002B, "custom-1"), (0x0000005B, "custom-2"),
    (0x0000007B, "custom-3"), (0xC2202573, "v"),  # csrr a0, vlenb
    (0x01102573, "zicfiss"), (0x01502573, "zkr"), (0x0000006B, RESERVED), (0x0000001F, RESERVED),
    (0xFFFFFFFF, RESERVED), (0x0000, RESERVED), (0x8002, RESERVED), (0x00002067, RESERVED),
])  # fmt: skip
def test_what_no_table_of_instructions_has(word: int, extension: str):
    assert extension_of(word) == extension


# ---- among others


def one_by_one(code: bytes) -> Iterator[int]:
    """Decode from the start, as a processor would."""
    at = 0
    while at + 1 < len(code):
        size = 4 if code[at] & 3 == 3 else 2
        word = int.from_bytes(code[at : at + size], "little")
        if at + size <= len(code) and word and extension_of(word) != BASE:
            yield at
        at += size


def scan(code: bytes, chunk: int) -> set[int]:
    """What is left of the scan's candidates once each is decoded."""
    found = candidates(len(code), lambda start, end: code[start:end], chunk)
    words_at = {at: bits if bits & 3 == 3 else bits & 0xFFFF for at, bits in found}
    whole = {at: bits for at, bits in words_at.items() if at + 2 + 2 * (bits & 3 == 3) <= len(code)}
    return {at for at, bits in whole.items() if extension_of(bits) != BASE}


WORDS = st.one_of(
    st.sampled_from(INSTRUCTIONS).flatmap(
        lambda one: st.integers(0, 0xFFFFFFFF).map(one.with_operands)
    ),
    st.integers(0, 0xFFFFFFFF),
)


@given(st.lists(WORDS, max_size=60), st.sampled_from([16, 64, 1 << 20]))
def test_a_scan_finds_what_decoding_finds(instructions: list[int], chunk: int):
    code = words(*instructions)
    assert scan(code, chunk) == set(one_by_one(code))


@given(st.binary(max_size=300), st.sampled_from([16, 64, 1 << 20]))
def test_a_scan_of_anything_agrees_with_decoding(code: bytes, chunk: int):
    assert scan(code, chunk) == set(one_by_one(code))


@cache
def every_wide() -> tuple[bytes, set[int]]:
    """Each major opcode with each funct3 and funct7, and the offsets of what is beyond."""
    every = [
        top << 25 | source << 20 | funct << 12 | 0x100 | opcode
        for opcode in range(3, 128, 4)
        for funct in range(8)
        for top in range(128)
        for source in (0, 1, 7)
    ]
    return words(*every), {4 * at for at, one in enumerate(every) if extension_of(one) != BASE}


@cache
def every_narrow() -> tuple[bytes, set[int]]:
    every = [half for half in range(1, 1 << 16) if half & 3 != 3]
    return words(*every), {2 * at for at, one in enumerate(every) if extension_of(one) != BASE}


@pytest.mark.parametrize("every", [every_wide, every_narrow])
def test_a_scan_of_every_instruction(every: Callable[[], tuple[bytes, set[int]]]):
    code, expected = every()
    assert scan(code, 1 << 20) == expected
    assert len(expected) > 1000


RULES = {"_BY_FOUR": (3, every_wide), "_BY_TWO": (2, every_wide), "_NARROW": (2, every_narrow)}


@pytest.mark.parametrize("name", RULES)
def test_a_scan_without_one_of_its_rules_misses_something(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """None is superfluous, and none can go away unseen."""
    code, expected = RULES[name][1]()
    for rule in getattr(riscv_scan, name):
        planes = [
            riscv_scan._Plane.of(
                [one for one in getattr(riscv_scan, each) if one is not rule], size
            )
            for each, (size, _) in RULES.items()
        ]
        monkeypatch.setattr(riscv_scan, "_WIDE_PLANES", tuple(planes[:2]))
        monkeypatch.setattr(riscv_scan, "_ALL_PLANES", tuple(planes))
        assert scan(code, 1 << 20) < expected


@pytest.mark.parametrize("code", [
    words(0x00150513, 0x00008067) * (5 << 20),  # wide alone, as Go's compiler makes
    words(0x0505, 0x00150513, 0x8082, 0x00C58533) * ((5 << 20) // 3 * 2),
])  # fmt: skip
def test_much_code_is_quick(code: bytes):
    """40 MB in a few seconds even on a slow machine (0.3 s and 1 s on a common one)."""
    began = time.monotonic()
    assert scan(code, riscv_scan.CHUNK) == set()
    assert time.monotonic() - began < 10


# ---- names


@pytest.mark.parametrize(("arch", "extensions"), [
    ("rv64i2p1_m2p0_zba1p0", {"i", "m", "zba"}),
    ("rv64gc", {"i", "m", "a", "f", "d", "c", "zicsr", "zifencei"}),
    ("rv64imafdcv1p0_zvl128b1p0", {"i", "m", "a", "f", "d", "c", "v", "zvl128b"}),
    ("rv64i_xtheadba1p0", {"i", "xtheadba"}),
])  # fmt: skip
def test_names_of_extensions(arch: str, extensions: set[str]):
    assert riscv_extensions(arch) == extensions


@pytest.mark.parametrize("arch", ["", "riscv", "rv65gc", "x86-64"])
def test_what_is_no_name_of_an_instruction_set(arch: str):
    with pytest.raises(Malformed, match="not a RISC-V ISA string"):
        riscv_extensions(arch)
