"""Where a RISC-V instruction leads, and which register it writes.

Knows: jumps, branches, operands of RV64GC. Must not know: whose code it is, what it is for.
Source: RISC-V unprivileged ISA, "RV32/64G Instruction Set Listings" and "C" Extension, "RVC
Instruction Set Listings".
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

BRANCH, JAL, JALR, LOAD, STORE, AUIPC = 0x63, 0x6F, 0x67, 0x03, 0x23, 0x17
_LOAD_FP, _STORE_FP, _FENCE = 0x07, 0x27, 0x0F
_NO_REGISTER = {STORE, _STORE_FP, BRANCH, _LOAD_FP, _FENCE}
_TRAPS = {0x00100073, 0x10200073, 0x30200073}  # ebreak, sret, mret
_C_EBREAK = 0x9002


@frozen
class Instruction:
    """``word`` has the bits of an instruction of ``size`` (2 or 4) bytes, ``offset`` bytes on."""

    offset: int
    word: int
    size: int

    @property
    def end(self) -> int:
        """Where the next one is."""
        return self.offset + self.size

    @property
    def opcode(self) -> int:
        """The major opcode of a wide one; of a narrow one its quadrant and funct3."""
        return self.word & (0x7F if self.size == 4 else 0xE003)

    @property
    def ends_run(self) -> bool:
        """Whether the next one is not run after it: a jump, a return, a trap."""
        word = self.word
        if self.size == 4:
            return (self.opcode in {JAL, JALR} and not word & 0xF80) or word in _TRAPS
        # a trap of zeros, or c.j, or c.jr
        return word in {0, _C_EBREAK} or self.opcode == 0xA001 or word & 0xF07F == 0x8002

    @property
    def calls(self) -> bool:
        """Whether it runs other code, which may write every register, and comes back."""
        if self.size == 4:
            return self.word == 0x73 or (self.opcode in {JAL, JALR} and not self.ends_run)
        return self.word & 0xF07F == 0x9002 and self.word != _C_EBREAK  # c.jalr

    @property
    def target(self) -> int | None:
        """Where a jump or a branch leads that says it itself, and comes back from nowhere."""
        if self.size == 4 and self.opcode == BRANCH:
            return self.offset + _branch_offset(self.word)
        if self.size == 4 and self.opcode == JAL and self.ends_run:
            return self.offset + _jump_offset(self.word)
        if self.size == 2 and self.opcode in {0xC001, 0xE001}:
            return self.offset + _narrow_branch_offset(self.word)
        if self.size == 2 and self.opcode == 0xA001:
            return self.offset + _narrow_jump_offset(self.word)
        return None

    @property
    def zero_test(self) -> tuple[int, bool] | None:
        """Of a branch that compares with zero: the register, and whether it is taken at zero."""
        word = self.word
        if self.size == 4:
            is_test = self.opcode == BRANCH and not word >> 20 & 31 and word >> 12 & 7 < 2
            return (word >> 15 & 31, not word & 0x1000) if is_test else None
        if self.opcode in {0xC001, 0xE001}:
            return 8 + (word >> 7 & 7), self.opcode == 0xC001
        return None

    @property
    def written(self) -> int:
        """The integer register that it may write; 0 for none.

        Those of vectors and of floating point are taken for integer ones where an opcode has both.
        """
        word = self.word
        if self.size == 4:
            return 0 if self.opcode in _NO_REGISTER else word >> 7 & 31
        quadrant, kind = word & 3, word >> 13
        if quadrant == 0:
            return 8 + (word >> 2 & 7) if kind in {0, 2, 3, 4} else 0
        if quadrant == 1:
            return _of_quadrant_1(word, kind)
        return word >> 7 & 31 if kind in {0, 2, 3, 4} else 0


def _of_quadrant_1(word: int, kind: int) -> int:
    if kind == 4:
        return 8 + (word >> 7 & 7)
    return word >> 7 & 31 if kind < 4 else 0


def decode(code: bytes, start: int = 0) -> Iterator[Instruction]:
    """The instructions of ``code`` one after the other, of which the first is at ``start``."""
    at = 0
    while (one := instruction_at(code, at, start)) is not None:
        yield one
        at += one.size


def instruction_at(code: bytes, at: int, start: int = 0) -> Instruction | None:
    """The instruction that begins at a byte of ``code``; None if it is not all there."""
    if at + 1 >= len(code):
        return None
    size = 4 if code[at] & 3 == 3 else 2
    if at + size > len(code):
        return None
    return Instruction(start + at, int.from_bytes(code[at : at + size], "little"), size)


# ---- offsets


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def upper_immediate(word: int) -> int:
    """What a U-type instruction has in bits 31 to 12."""
    return _signed(word & 0xFFFFF000, 32)


def load_offset(word: int) -> int:
    """The 12 bits of an I-type instruction."""
    return _signed(word >> 20, 12)


def store_offset(word: int) -> int:
    """The 12 bits of an S-type instruction."""
    return _signed(word >> 25 << 5 | word >> 7 & 31, 12)


def _branch_offset(word: int) -> int:
    """The 13 bits of a B-type instruction."""
    value = word >> 31 << 12 | (word >> 7 & 1) << 11
    return _signed(value | (word >> 25 & 63) << 5 | (word >> 8 & 15) << 1, 13)


def _jump_offset(word: int) -> int:
    """The 21 bits of a J-type instruction."""
    value = word >> 31 << 20 | (word >> 12 & 0xFF) << 12
    return _signed(value | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1, 21)


def _narrow_branch_offset(word: int) -> int:
    """The 9 bits of a CB-type instruction."""
    value = (word >> 12 & 1) << 8 | (word >> 5 & 3) << 6 | (word >> 2 & 1) << 5
    return _signed(value | (word >> 10 & 3) << 3 | (word >> 3 & 3) << 1, 9)


def _narrow_jump_offset(word: int) -> int:
    """The 12 bits of a CJ-type instruction: 11, 4, 9:8, 10, 6, 7, 3:1, 5 from bit 12 down."""
    value = (word >> 12 & 1) << 11 | (word >> 11 & 1) << 4 | (word >> 9 & 3) << 8
    value |= (word >> 8 & 1) << 10 | (word >> 7 & 1) << 6 | (word >> 6 & 1) << 7
    return _signed(value | (word >> 3 & 7) << 1 | (word >> 2 & 1) << 5, 12)
