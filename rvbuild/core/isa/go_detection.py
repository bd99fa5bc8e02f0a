"""Whether Go's code asks what the processor can do before it uses it, on riscv64.

Knows: how Go's compiler and its standard library ask. Must not know: recipes.
Source: Go's internal/cpu and internal/bytealg, golang.org/x/sys/cpu, cmd/compile's intrinsics, as
of Go 1.25 and 1.26.

Since Go 1.25 programs for ``GORISCV64=rva20u64`` have instructions of V and Zbb, each behind a test
of a flag that the runtime sets when it starts::

    auipc x12, 0x171          # x12: near runtime.riscv64HasZbb
    lbu   x12, -504(x12)      # the flag
    ...
    beqz  x12, past           # or: bnez x12, to code behind the function's other ways
    cpop  x8, x8
    past:

Rules:

1. A flag is a byte at a fixed address that a function of internal/cpu or golang.org/x/sys/cpu
   writes, or to which the runtime copies one when it starts.
2. A register is a flag from the load until something may write the register: any instruction with
   that operand, or a call.
3. An instruction is guarded if on every way to it from the function's start a flag was tested, and
   was set. What no way leads to is not.

Example: after ``bnez x12, 8`` and a ``nop``, the instruction at 8 is run with and without the flag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve, field, frozen

from rvbuild.core.elf_tables import ElfTables
from rvbuild.core.isa.elf_symbols import Symbol
from rvbuild.core.isa.go_program import read_functions
from rvbuild.core.isa.riscv_code import Beyond
from rvbuild.core.isa.riscv_flow import (
    AUIPC,
    LOAD,
    STORE,
    Instruction,
    instruction_at,
    load_offset,
    store_offset,
    upper_immediate,
)

_LARGEST = 1 << 20  # bytes of a function that are followed
_VISITS = 4  # of each byte, at most: what takes more ways is not followed to its end
_DETECTING = ("internal/cpu.", "golang.org/x/sys/cpu.", "vendor/golang.org/x/sys/cpu.")
_COPYING = ("runtime.schedinit", "runtime.cpuinit")
_FLAG = -1


class _TooManyWays(Exception):
    """Lead through a function."""


@frozen
class _State:
    """What holds on each way to an instruction.

    ``registers`` have an address, or `_FLAG` for the value of a flag.
    """

    registers: Mapping[int, int] = field(factory=dict)
    is_guarded: bool = False

    def meet(self, other: _State) -> _State:
        both = self.registers.items() & other.registers.items()
        return _State(dict(both), self.is_guarded and other.is_guarded)

    def write(self, register: int, value: int | None) -> _State:
        if value is None and register not in self.registers:
            return self
        others = {key: old for key, old in self.registers.items() if key != register}
        return evolve(self, registers=others if value is None else {**others, register: value})


@define
class _Ways:
    """Follows every way through a function."""

    code: bytes
    address: int
    flags: frozenset[int]
    _at_targets: dict[int, _State] = field(factory=dict, init=False)
    _starts: dict[int, None] = field(factory=dict, init=False)

    def visits(self) -> Iterator[tuple[Instruction, _State]]:
        """Each instruction with what holds before it, once for each way that brings another state.

        Raises:
            _TooManyWays: to be followed to their ends.
        """
        remaining = _VISITS * len(self.code) + 1
        self._reach(0, _State())
        while self._starts:
            at, _ = self._starts.popitem()
            state = self._at_targets[at]
            while (one := instruction_at(self.code, at)) is not None:
                remaining -= 1
                if not remaining:
                    raise _TooManyWays
                yield one, state
                if one.target is not None:
                    self._reach(one.target, _branched(state, one, is_taken=True))
                if one.ends_run:
                    break
                at, state = one.end, _branched(self._after(one, state), one, is_taken=False)
                if at in self._at_targets:
                    self._reach(at, state)
                    break

    def _reach(self, at: int, state: _State) -> None:
        """Follow the ways from a target again, if this way to it tells something new."""
        before = self._at_targets.get(at)
        after = state if before is None else before.meet(state)
        if 0 <= at < len(self.code) and after != before:
            self._at_targets[at] = after
            self._starts[at] = None

    def _after(self, one: Instruction, state: _State) -> _State:
        if one.calls:
            return evolve(state, registers={})
        return state.write(one.written, self._value(one, state)) if one.written else state

    def _value(self, one: Instruction, state: _State) -> int | None:
        """What an instruction writes: an address, or a flag."""
        if one.size == 4 and one.opcode == AUIPC:
            return self.address + one.offset + upper_immediate(one.word)
        base = state.registers.get(one.word >> 15 & 31, _FLAG)
        is_byte = one.size == 4 and one.opcode == LOAD and one.word >> 12 & 7 in {0, 4}  # lb, lbu
        if is_byte and base != _FLAG and base + load_offset(one.word) in self.flags:
            return _FLAG
        return None


def _branched(state: _State, one: Instruction, *, is_taken: bool) -> _State:
    """The state on one of a branch's ways."""
    test = one.zero_test
    if test is None or state.registers.get(test[0]) != _FLAG or test[1] is is_taken:
        return state
    return evolve(state, is_guarded=True)


@define
class GoDetection:
    """The flags of a program, which are looked for once, and only if somebody asks."""

    _tables: ElfTables
    _flags: frozenset[int] | None = field(default=None, init=False)

    def guards(self, same: Sequence[Beyond]) -> bool:
        """Whether a function tests a flag before each of these instructions of it.

        Raises:
            VerificationError: the file is damaged.
        """
        start, end = same[0].start, same[0].end
        if not start or not start < end <= start + _LARGEST:
            return False
        if self._flags is None:
            self._flags = _find_flags(self._tables)
        code = self._tables.reader.part(self._tables.offset(start), end - start)
        guarded = _guarded(code, start, self._flags, {each.address for each in same})
        return all(guarded.get(each.address, False) for each in same)


def _guarded(
    code: bytes, start: int, flags: frozenset[int], addresses: set[int]
) -> dict[int, bool]:
    """Whether the instructions at some addresses are guarded; none of those that no way leads to.

    None is there if there are too many ways.
    """
    guarded: dict[int, bool] = {}
    try:
        for one, state in _Ways(code, start, flags).visits():
            address = start + one.offset
            if address in addresses:
                guarded[address] = guarded.get(address, True) and state.is_guarded
    except _TooManyWays:
        return {}
    return guarded


def _find_flags(tables: ElfTables) -> frozenset[int]:
    functions = read_functions(tables)
    if functions is None:
        return frozenset()
    detected = {
        address
        for function in functions.named(_DETECTING)
        for address, _ in _byte_stores(tables, function, frozenset())
    }
    copied = {
        address
        for function in functions.named(_COPYING)
        for address, is_flag in _byte_stores(tables, function, frozenset(detected))
        if is_flag
    }
    return frozenset(detected | copied)


def _byte_stores(
    tables: ElfTables, function: Symbol, flags: frozenset[int]
) -> Iterator[tuple[int, bool]]:
    """The fixed addresses to which a function writes a byte, and whether that is a flag's."""
    code = tables.reader.part(tables.offset(function.address), min(function.size, _LARGEST))
    with suppress(_TooManyWays):
        for one, state in _Ways(code, function.address, flags).visits():
            base = state.registers.get(one.word >> 15 & 31, _FLAG)
            if one.size == 4 and one.opcode == STORE and not one.word & 0x7000 and base != _FLAG:
                value = state.registers.get(one.word >> 20 & 31)
                yield base + store_offset(one.word), value == _FLAG
