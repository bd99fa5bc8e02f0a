"""Whether Go's code asks what the processor can do before it uses it, on riscv64.

Knows: how Go's compiler and its standard library ask. Must not know: recipes.
Source: Go's internal/cpu and internal/bytealg, cmd/compile's intrinsics, as of Go 1.25 and 1.26.

Since Go 1.25 programs for ``GORISCV64=rva20u64`` have instructions of V and Zbb, each behind a test
of a flag that the runtime sets when it starts::

    auipc x12, 0x171          # x12: near runtime.riscv64HasZbb
    lbu   x12, -504(x12)      # the flag
    ...
    beqz  x12, past           # or: bnez x12, to code behind the function's other ways
    cpop  x8, x8
    past:
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define, field

from rvbuild.core.elf_tables import ElfTables
from rvbuild.core.isa.riscv_code import Beyond

_LARGEST = 1 << 20  # bytes of a function that are read
_AUIPC, _LOAD, _BRANCH, _STORE, _STORE_FP = 0x17, 0x03, 0x63, 0x23, 0x27


def tests_flags(tables: ElfTables, same: Sequence[Beyond]) -> bool:
    """Whether a function tests a flag before each of these instructions of it.

    Raises:
        VerificationError: the function is not in the file.
    """
    start, end = same[0].start, same[-1].address + 4
    if not start or not start < end <= start + _LARGEST:
        return False
    code = tables.reader.part(tables.offset(start), end - start)
    guarded = list(_Flags(start).guarded(code, end))
    return all(any(each.address in addresses for addresses in guarded) for each in same)


@define
class _Flags:
    """Follows, through a function, which registers hold flags."""

    address: int
    _bases: set[int] = field(factory=set, init=False)
    _flags: set[int] = field(factory=set, init=False)

    def guarded(self, code: bytes, end: int) -> Iterator[range]:
        """Addresses that are run only if a flag is set; the function is read up to ``end``."""
        at = 0
        while at + 1 < len(code):
            size = 4 if code[at] & 3 == 3 else 2
            word = int.from_bytes(code[at : at + size], "little")
            branch = self._wide(word) if size == 4 else self._narrow(word)
            if branch is not None:
                offset, is_if_unset = branch
                target = self.address + offset
                # not set: past what needs it; set: to what needs it, somewhere behind
                yield range(self.address + size, target) if is_if_unset else range(target, end)
            at += size
            self.address += size

    def _wide(self, word: int) -> tuple[int, bool] | None:
        opcode, rd, source = word & 0x7F, word >> 7 & 31, word >> 15 & 31
        if opcode == _BRANCH:
            is_test = source in self._flags and not word >> 20 & 31 and word >> 12 & 7 in {0, 1}
            return (_branch_offset(word), not word >> 12 & 7) if is_test else None  # beqz, bnez
        if opcode in {_STORE, _STORE_FP}:
            return None
        has_base = source in self._bases
        self._bases.discard(rd)
        self._flags.discard(rd)
        if opcode == _AUIPC:
            self._bases.add(rd)
        elif opcode == _LOAD and word >> 12 & 7 in {0, 4} and has_base:  # lb, lbu
            self._flags.add(rd)
        return None

    def _narrow(self, word: int) -> tuple[int, bool] | None:
        if word & 3 == 1 and word >> 14 == 3 and 8 + (word >> 7 & 7) in self._flags:
            return _narrow_offset(word), not word >> 13 & 1  # c.beqz, c.bnez
        return None


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def _branch_offset(word: int) -> int:
    """The 13-bit offset of a B-type instruction."""
    value = (
        word >> 31 << 12 | (word >> 7 & 1) << 11 | (word >> 25 & 63) << 5 | (word >> 8 & 15) << 1
    )
    return _signed(value, 13)


def _narrow_offset(word: int) -> int:
    """The 9-bit offset of a CB-type instruction."""
    value = (word >> 12 & 1) << 8 | (word >> 5 & 3) << 6 | (word >> 2 & 1) << 5
    value |= (word >> 10 & 3) << 3 | (word >> 3 & 3) << 1
    return _signed(value, 9)
