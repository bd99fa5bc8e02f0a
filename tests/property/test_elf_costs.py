"""Crafted ELF files: what an audit costs grows with a file's size alone, counted in operations."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest
from attrs import define
from made_go_guards import Step, go_program
from made_program import MadeProgram, property_note, words

from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf_tables import ByteView, read_tables
from rvbuild.core.errors import VerificationError

CPOP, RET = 0x60251513, 0x00008067
RULE = OutputRule(name="x", path="x", kind="file", architecture="riscv64")
LOAD, DYNAMIC, PROPERTY = 1, 2, 0x6474E553
RUN, WRITE = 5, 6
SMALL, LARGE = 1_000, 8_000


@define
class Cost:
    """Counts the calls of functions, and the bytes that are taken out of a file (64 are one)."""

    operations: int = 0

    def of(self, work: Callable[[ByteView], object], data: bytes) -> int:
        def count(_frame: object, event: str, _argument: object) -> None:
            self.operations += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            with suppress(VerificationError):
                work(Watched(data, self))
        finally:
            sys.setprofile(before)
        return self.operations


@define
class Watched:
    """A file that tells how much of it is taken."""

    data: bytes
    cost: Cost

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice) -> bytes:
        taken = self.data[part]
        self.cost.operations += len(taken) // 64
        return taken


def elf(
    segments: list[tuple[int, int, int, int]],
    sections: list[tuple[int, int, int, int]],
    body: bytes,
) -> bytes:
    """Of segments (type, flags, offset, size), sections (type, flags, offset, size), and a body."""
    start = 64 + 56 * len(segments)
    size = start + len(body)
    head = b"\x7fELF\2\1\1" + bytes(9)
    head += struct.pack("<HHIQQQI", 2, 243, 1, 0, 64, size if sections else 0, 5)
    head += struct.pack("<HHHHHH", 64, 56, len(segments), 64, min(len(sections), 0xFFFF), 0)
    for kind, flags, offset, length in segments:
        head += struct.pack("<IIQQQQQQ", kind, flags, offset, offset, 0, length or size, 0, 0)
    for kind, flags, offset, length in sections:
        body += struct.pack("<IIQQQQIIQQ", 0, kind, flags, 0, offset, length or size, 0, 0, 0, 0)
    return head + body


def named(name: str, data: bytes) -> bytes:
    return MadeProgram(code=words(RET), sections=((name, data),)).write()


def attributes(body: bytes) -> bytes:
    inner = b"riscv\0\x01" + struct.pack("<I", len(body) + 5) + body
    section = b"A" + struct.pack("<I", len(inner) + 4) + inner
    data = elf([], [(0x70000003, 0, 64, 0)], section)
    return data[:-32] + struct.pack("<Q", len(section)) + data[-24:]


def go_info(text: bytes) -> bytes:
    return named(".go.buildinfo", b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16) + text)


def patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    new = struct.pack(f"<{form}", *values)
    return data[:at] + new + data[at + len(new) :]


CRAFTED: dict[str, Callable[[int], bytes]] = {
    "a number of many bytes": lambda n: go_info(b"\xff" * 64 * n + b"\0"),
    "a number of many bytes in attributes": lambda n: attributes(b"\xff" * 64 * n + b"\0"),
    "many attributes": lambda n: attributes(b"\x07x\0" * n),
    "attributes without an end": lambda n: attributes(b"\x07" * n),
    "sections in each other": lambda n: patched(
        elf([], [(1, 6, 64, 4)], words(RET) * 16 * n), 58, "HH", 1, 0xFFFF
    ),
    "sections beyond the file": lambda n: patched(
        elf([], [(1, 6, 64, 1 << 40)] * n, words(RET) * n), 60, "H", 0
    ),
    "many segments": lambda n: elf([(LOAD, RUN, 0, 0)] * n, [], words(RET)),
    "many segments of data": lambda n: elf([(LOAD, WRITE, 0, 0)] * n, [], words(RET)),
    "many dynamic segments": lambda n: elf([(DYNAMIC, WRITE, 64, 0)] * n, [], words(RET)),
    "many notes": lambda n: elf([(PROPERTY, 4, 64, 0)] * n, [], property_note(5, b"") * n),
    "the same code in many sections": lambda n: elf([], [(1, 6, 64, 0)] * n, words(RET) * n),
    "many tables of symbols": lambda n: elf([], [(2, 0, 64, 0)] * n, bytes(24) * n),
    "holes among sections": lambda n: elf(
        [(LOAD, RUN, 0, 8)] * 1000, [(1, 2, 64 + 64 * k, 8) for k in range(n)], words(RET) * n
    ),
    "packed code": lambda n: MadeProgram(code=words(CPOP) * n).write(),
    "many functions": lambda n: go_program(
        [Step("flag"), Step("beqz", to=3), Step("cpop"), Step("ret")] * n
    ).write(),
    "long names": lambda n: elf([], [(3, 0, 64, 0)] * n, b"x" * n),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_the_cost_grows_with_the_size(name: str):
    def work(data: ByteView) -> object:
        return audit(RULE, data)

    small, large = (CRAFTED[name](count) for count in (SMALL, LARGE))
    growth = len(large) / len(small)
    before, after = Cost().of(work, small), Cost().of(work, large)
    assert after <= 1.5 * growth * before + 1000, (before, after, growth)
    assert after <= 64 * len(large)


def test_a_reader_that_looks_again_and_again_is_told_apart():
    """The check itself: a reader that takes the whole file for each section is none of these."""

    def work(data: ByteView) -> None:
        for _ in read_tables(data).sections:
            data[:]

    small, large = (elf([], [(1, 0, 64, 4)] * count, b"") for count in (100, 800))
    before, after = Cost().of(work, small), Cost().of(work, large)
    assert after > 1.5 * len(large) / len(small) * before + 1000
