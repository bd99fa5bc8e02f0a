"""Finds, in much machine code, the few instructions that may be beyond RV64GC.

Knows: bytes and what they may begin. Must not know: what an instruction is for certain (that is
`riscv_opcodes`), where code lies in a file.

To decode 60 MB one instruction after the other takes Python half a minute. Two facts make it a
second:

- Where instructions begin is known without decoding. A half (16 bits) of which the lowest two bits
  are not both set is *narrow*: an instruction of its own, or the second half of a wide one. Either
  way the half after it begins an instruction. So in a row of halves that look wide, every other one
  begins an instruction, counted from the row's first.
- Whether a half may begin an instruction beyond RV64GC shows in a few of its bytes. A rule is a set
  of values for each of these bytes, a bit in a table for each: `bytes.translate` looks up all
  bytes at once, and ``&`` of large integers combines them. A rule may be too wide, never too
  narrow: what it selects is decoded, what no rule selects is RV64GC's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

CHUNK = 1 << 20
"""Bytes that are scanned at once: they and their tables stay in the processor's cache."""

_ANY = range(256)
_LONGER = {0x1F, 0x3F, 0x5F, 0x7F}  # the lowest five bits set: more than 32 bits
_RARE = {0x2F, 0x43, 0x47, 0x4B, 0x4F, 0x53, 0x73}  # AMO, floating point, SYSTEM: decoded always
_FOREIGN = {0x0B, 0x2B, 0x57, 0x5B, 0x6B, 0x77, 0x7B}  # no instruction of RV64GC is there

_Rule = tuple[Iterable[int], Iterable[int], Iterable[int]]
"""Values of an instruction's first, second and fourth byte."""


def _majors(*opcodes: int) -> list[int]:
    return [byte for byte in _ANY if byte & 0x7F in opcodes]


def _functs(*functs: int) -> list[int]:
    return [byte for byte in _ANY if byte >> 4 & 7 in functs]


def _other(*values: int) -> set[int]:
    return set(_ANY) - set(values)


_BY_FOUR: tuple[_Rule, ...] = (
    # OP-IMM and OP-IMM-32: shifts by more than an amount
    (_majors(0x13, 0x1B), _functs(1), _other(0, 1, 2, 3)),
    (_majors(0x13, 0x1B), _functs(5), _other(0, 1, 2, 3, 0x40, 0x41, 0x42, 0x43)),
    (_majors(0x1B), _functs(1, 5), [byte for byte in _ANY if byte & 2]),
    # OP and OP-32: funct7 is neither 0, 1 nor 32, or is one that funct3 does not go with
    (_majors(0x33, 0x3B), _ANY, _other(0, 1, 2, 3, 0x40, 0x41)),
    (_majors(0x33, 0x3B), _functs(1, 2, 3, 4, 6, 7), (0x40, 0x41)),
    (_majors(0x3B), _functs(2, 3, 4, 6, 7), (0, 1)),
    (_majors(0x3B), _functs(1, 2, 3), (2, 3)),
)
_BY_TWO: tuple[_Rule, ...] = (
    (_majors(*_LONGER, *_RARE, *_FOREIGN), _ANY, _ANY),
    (_majors(0x07, 0x27), _functs(0, 1, 4, 5, 6, 7), _ANY),
    (_majors(0x0F, 0x63, 0x67, 0x1B), _functs(2, 3), _ANY),
    (_majors(0x0F, 0x23, 0x67), _functs(4, 5, 6, 7), _ANY),
    (_majors(0x1B), _functs(4, 6, 7), _ANY),
    (_majors(0x67), _functs(1), _ANY),
    (_majors(0x03), _functs(7), _ANY),
)
_NARROW: tuple[_Rule, ...] = (
    # Zcb's loads and stores, its arithmetic, Zcmop, and what is reserved
    ([b for b in _ANY if b & 3 == 0], [b for b in _ANY if b >> 5 == 4], _ANY),
    ([b for b in _ANY if b & 0x43 == 0x41], [b for b in _ANY if b >> 2 == 0x27], _ANY),
    ([b for b in _ANY if b & 0x7F == 0x01], [b for b in _ANY if b >> 4 == 6], _ANY),
    ([b for b in _ANY if b & 0x83 == 0x01], [b for b in _ANY if b & 0xEF == 0x20], _ANY),
    ([b for b in _ANY if b & 0x83 == 0x02], [b for b in _ANY if b & 0xCF == 0x40], _ANY),
    ([0x02], [0x80], _ANY),
    ([b for b in _ANY if b & 0xE3 == 0 and b], [0], _ANY),  # all zero is padding, or a trap
)

_SELECTED, _ZERO = re.compile(rb"[^\0]"), re.compile(rb"\0")
_PADDING = bytes(4)
_WIDE_BYTES = bytes(byte for byte in _ANY if byte & 3 == 3)
_WIDTHS = bytes(ord("w") if byte & 3 == 3 else ord("n") for byte in _ANY)


@frozen
class _Plane:
    """Up to eight rules, a bit each, as a table for each byte that they look at."""

    tables: tuple[bytes, ...]

    @classmethod
    def of(cls, rules: Sequence[_Rule], looked_at: int) -> _Plane:
        return cls(tuple(_table([rule[byte] for rule in rules]) for byte in range(looked_at)))

    def select(self, lanes: Sequence[bytes]) -> int:
        """A byte for each instruction, which is not 0 where a rule fits."""
        selected = -1
        for table, lane in zip(self.tables, lanes, strict=False):
            selected &= int.from_bytes(lane.translate(table), "little")
        return selected


def _table(sets: Sequence[Iterable[int]]) -> bytes:
    table = bytearray(256)
    for bit, values in enumerate(sets):
        for value in values:
            table[value] |= 1 << bit
    return bytes(table)


_WIDE_PLANES = (_Plane.of(_BY_FOUR, 3), _Plane.of(_BY_TWO, 2))
_ALL_PLANES = (*_WIDE_PLANES, _Plane.of(_NARROW, 2))


def candidates(
    size: int, read: Callable[[int, int], bytes], chunk: int = CHUNK
) -> Iterator[tuple[int, int]]:
    """The offsets of instructions that may be beyond RV64GC, in order, each with its 32 bits.

    Args:
        size: Bytes of code, of which the first begins an instruction.
        read: Gives the bytes from an offset up to another.
        chunk: How many it is asked for at once.
    """
    at = 0
    while at + 1 < size:
        code = read(at, min(at + chunk, size))
        code = code[: len(code) & ~1]
        offsets, taken = _aligned(code) or _any(code)
        for offset in offsets:
            yield at + offset, int.from_bytes(code[offset : offset + 4], "little")
        at += taken


def _aligned(code: bytes) -> tuple[list[int], int] | None:
    """For wide instructions and padding, as Go's compiler makes them; None if others are there."""
    taken = len(code) & ~3
    first = code[0:taken:4]
    narrow = first.translate(None, delete=_WIDE_BYTES)
    if not taken or narrow.strip(b"\0"):
        return None
    if narrow and any(code[at : at + 4] != _PADDING for at in _zeros(first)):
        return None
    lanes = (first, code[1:taken:4], code[3:taken:4])
    return [4 * index for index in _selected(lanes, _WIDE_PLANES)], taken


def _zeros(first: bytes) -> Iterator[int]:
    return (4 * match.start() for match in _ZERO.finditer(first))


def _any(code: bytes) -> tuple[list[int], int]:
    first, second = code[0::2], code[1::2]
    widths = first.translate(_WIDTHS)
    is_cut = widths.endswith(b"w") and _begins(widths, len(widths) - 1) and len(code) > 2
    lanes = (first, second, second[1:] + b"\0")
    offsets = [2 * at for at in _selected(lanes, _ALL_PLANES) if _begins(widths, at)]
    if is_cut:  # the last one goes on in the next chunk
        return [at for at in offsets if at < len(code) - 2], len(code) - 2
    return offsets, len(code)


def _selected(lanes: Sequence[bytes], planes: Sequence[_Plane]) -> Iterator[int]:
    both = 0
    for plane in planes:
        both |= plane.select(lanes)
    found = both.to_bytes(len(lanes[0]), "little")
    return (match.start() for match in _SELECTED.finditer(found))


def _begins(widths: bytes, index: int) -> bool:
    """Whether a half begins an instruction: an even number of wide halves is right before it."""
    return (index - widths.rfind(b"n", 0, index)) % 2 == 1
