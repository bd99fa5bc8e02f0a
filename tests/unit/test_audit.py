"""Audits of outputs, over ELF files and archives made here, and over this Python's own."""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_elf import Made

from rvbuild.cli.remedies import hint_text
from rvbuild.core import ar, elf
from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.errors import VerificationError

RV64GC = "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zmmul1p0_zaamo1p0_zalrsc1p0_zca1p0_zcd1p0"


def rule(kind: str = "executable", *, static: bool = True, arch: str | None = "riscv64"):
    return OutputRule(name="x", path="bin/x", kind=kind, static=static, architecture=arch)


def whats(data: bytes, given: OutputRule | None = None, forbidden: tuple[bytes, ...] = ()):
    return [one.what for one in audit(given or rule(), data, forbidden)]


def archive(*members: tuple[str, bytes]) -> bytes:
    data = b"!<arch>\n"
    for name, body in members:
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(body):<10}`\n".encode()
        data += body + b"\n" * (len(body) % 2)
    return data


@pytest.mark.parametrize("made", [
    Made(),
    Made(flags=0x4),  # as Go's linker writes it: no attributes, no compressed code
    Made(kind=3),  # static-pie
    Made(arch=RV64GC),
    Made(arch=RV64GC, arch_in_section=True),
    Made(arch="rv64gc_zicsr_zifencei"),
    Made(arch="rv64imafdc"),
    Made(arch="rv64gc_zihintpause2p0_zihintntl1p0_zicbop1p0"),  # hints: elsewhere they do nothing
])  # fmt: skip
def test_good_static_programs_pass(made: Made):
    """What the compilers in use write for a plain rv64gc program is not refused."""
    assert whats(made.write()) == []


BAD = [
    (Made(machine=62), "it is for amd64, not riscv64"),
    (Made(machine=183), "it is for arm64, not riscv64"),
    (Made(machine=9999), "it is for machine 9999 (64 bits), not riscv64"),
    (Made(bits=32), "it is for machine 243 (32 bits), not riscv64"),
    (Made(little=False), "it is for machine 243 (64 bits), not riscv64"),
    (Made(flags=0x1), "its float ABI is soft, not double"),
    (Made(flags=0x3), "its float ABI is single, not double"),
    (Made(flags=0x7), "its float ABI is quad, not double"),
    (Made(flags=0xD), "its base is RVE, not RVI"),
    (Made(flags=0x15), "its memory model is TSO, not RVWMO"),
    (Made(arch=RV64GC + "_zba1p0_v1p0"), "it uses extensions beyond rv64gc: v, zba"),
    (
        Made(arch=RV64GC + "_zvl128b1p0", arch_in_section=True),
        "it uses extensions beyond rv64gc: zvl128b",
    ),
    (Made(arch="rv64imafdcv"), "it uses extensions beyond rv64gc: v"),
    (Made(arch="rv64gc_xtheadba1p0"), "it uses extensions beyond rv64gc: xtheadba"),
    (Made(arch="riscv"), "not a RISC-V ISA string: 'riscv'"),
    (
        Made(interpreter="/lib/ld-linux-riscv64-lp64d.so.1"),
        "it is not static: it wants the interpreter /lib/ld-linux-riscv64-lp64d.so.1",
    ),
    (Made(needed=("libc.so.6", "libm.so.6")), "it is not static: it needs libc.so.6, libm.so.6"),
    (Made(rpath="/build/lib"), "it looks for libraries in /build/lib"),
    (Made(kind=1), "it is an object file, not a program"),
]


@pytest.mark.parametrize(("made", "what"), BAD, ids=[what for _, what in BAD])
def test_bad_programs_are_named(made: Made, what: str):
    """Each has exactly the one fault, and exactly that one is found."""
    assert whats(made.write()) == [what]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_architecture_accepts_its_own_alone(architecture: str):
    for name, row in ARCHITECTURES.items():
        flags = sum(each.value for each in row.flags)
        made = Made(machine=row.elf.number, flags=flags)
        assert (whats(made.write(), rule(arch=architecture)) == []) == (name == architecture)


def test_shared_library_may_be_dynamic():
    made = Made(kind=3, needed=("libc.so.6",), rpath="$ORIGIN/../lib")
    assert whats(made.write(), rule("library", static=False)) == []


def test_files_without_a_machine_pass():
    assert whats(b"just text", rule("file", static=False)) == []


def test_scripts_and_others_as_executables():
    script = b"#!/bin/sh\nexit 0\n"
    assert whats(script, rule(static=False)) == []
    assert whats(script) == ["it is a script, and the recipe says `static`"]
    assert whats(b"\0asm") == ["it is neither an ELF file nor a script"]
    assert whats(b"") == ["it is neither an ELF file nor a script"]


def test_build_machine_tool_needs_no_machine():
    assert whats(Made(machine=62).write(), rule(arch=None)) == []


def test_archives_are_audited_member_by_member():
    good, bad = Made(kind=1).write(), Made(kind=1, machine=62).write()
    library = rule("library", static=False)
    index = ("/", b"\0\0\0\0"), ("//", b"a_long_name.o/\n")
    assert whats(archive(*index, ("a.o/", good), ("note.txt/", b"odd")), library) == []
    found = whats(archive(("a.o/", good), ("b.o/", bad), ("c.o/", bad)), library)
    assert found == ["member b.o: it is for amd64, not riscv64"]


def test_damaged_and_thin_archives():
    library = rule("library", static=False)
    cut = archive(("a.o/", Made(kind=1).write()))[:-1]
    assert whats(b"!<thin>\n", library) == ["a thin archive has its members elsewhere"]
    assert whats(b"!<arch>\nxx", library) == ["the member's header at byte 8 is damaged"]
    assert whats(cut, library) == ["the archive ends inside the member whose header is at byte 8"]


FOUND = [
    (b'"/build/src/x.c"', b"/build/"),
    (b"\0/build/src/x.c", b"/build/"),
    (b"cc -I/build/src", b"/build/"),
    (b"at=buildhost-17;", b"buildhost-17"),
    (b"/home/me/cache/trees/ab", b"/home/me/cache"),
]
NOT_FOUND = [
    (b"example.com/build/src/x.go", b"/build/"),
    (b"/builder/x", b"/build/"),
    (b"mybuildhost-17", b"buildhost-17"),
    (b"buildhost-177", b"buildhost-17"),
    (b"a vm here", b"vm"),  # too short to mean anything
]


@pytest.mark.parametrize(("text", "word"), FOUND)
def test_traces_of_the_build_are_found(text: bytes, word: bytes):
    (found,) = whats(text, rule("file"), (word,))
    assert found.startswith(f"{word.decode()} is inside, at byte {text.index(word)}: ")


@pytest.mark.parametrize(("before", "says"), [(b"", "take it out"), (b"\0\0", "-trimpath")])
def test_only_what_was_compiled_is_to_be_compiled_otherwise(before: bytes, says: str):
    (found,) = audit(rule("file"), before + b" /build/src ", (b"/build/",))
    assert says in hint_text(found.hint)


@pytest.mark.parametrize(("text", "word"), NOT_FOUND)
def test_innocent_text_is_not_a_trace(text: bytes, word: bytes):
    assert whats(text, rule("file"), (word,)) == []


@pytest.mark.parametrize("shift", [-12, -9, -8, -4, -1, 0, 1])
def test_traces_across_the_parts_of_a_large_file(shift: int):
    """Searched in parts of 8 MiB: a word over their edge is found once, at its place."""
    at = (8 << 20) + shift
    data = b"\n" * at + b"/build/x" + b"\n" * 100
    (found,) = whats(data, rule("file"), (b"/build/",))
    assert f"at byte {at}:" in found
    innocent = b"\n" * (at - 1) + b"a/build/x" + b"\n" * 100
    assert whats(innocent, rule("file"), (b"/build/",)) == []


def test_this_python_is_a_dynamic_or_static_program():
    """A real file, through mmap, agrees with what runs us."""
    with Path(sys.executable).resolve().open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    found = elf.parse(data)
    assert found.bits == struct.calcsize("P") * 8
    assert found.little_endian == (sys.byteorder == "little")
    assert found.kind in {elf.EXECUTABLE, elf.SHARED}
    maps = Path("/proc/self/maps").read_text()
    assert all(name.split(".so")[0] in maps for name in found.needed)


def test_large_file_is_quick():
    """180 MB in a few seconds even on a slow machine (0.3 s on a common one)."""
    data = Made().write() + b"some/build/text " * (180_000_000 // 16)
    began = time.monotonic()
    assert whats(data, rule(), (b"/store/path/", b"a-host-name")) == []
    assert time.monotonic() - began < 10


@given(st.data())
def test_damage_is_a_finding_and_never_a_crash(data: st.DataObject):
    """Any change to a good file is either harmless or reported in words."""
    made = Made(arch=RV64GC, interpreter="/lib/ld", needed=("libc.so",), rpath="/x").write()
    image = bytearray(made)
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(image[: data.draw(st.integers(0, len(made)))])
    assert all(isinstance(one, str) for one in whats(cut))


def test_narrow_and_big_endian_files_are_read_whole():
    """Every field lies elsewhere in a 32-bit file, and s390x turns each number around."""
    for bits, little in ((32, True), (32, False), (64, False)):
        made = Made(bits=bits, little=little, interpreter="/lib/ld", needed=("a", "b"), rpath="/x")
        found = elf.parse(made.write())
        assert (found.bits, found.little_endian, found.kind) == (bits, little, 2)
        assert (found.interpreter, found.needed, found.search) == ("/lib/ld", ("a", "b"), ("/x",))


def test_other_sections_are_passed_over():
    """One that is not of attributes stands before the one that is."""
    made = bytearray(Made(arch="rv64gcv", arch_in_section=True).write())
    at, size, count = struct.unpack_from("<Q", made, 40)[0], 64, 1
    section = bytes(made[at : at + size])
    other = section[:4] + struct.pack("<I", 1) + section[8:]
    struct.pack_into("<Q", made, 40, len(made))
    struct.pack_into("<H", made, 60, count + 1)
    assert elf.parse(bytes(made) + other + section).arch == "rv64gcv"


def attributes(*vendors: tuple[bytes, bytes]) -> bytes:
    parts = b"".join(
        struct.pack("<I", len(name) + len(body) + 5) + name + b"\0" + body for name, body in vendors
    )
    return b"A" + parts


def scope(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + struct.pack("<I", len(body) + 5) + body


ISA = b"\x05rv64gcv\0"

ATTRIBUTES = [
    (attributes((b"riscv", scope(1, ISA))), "rv64gcv"),
    (attributes((b"other", b"whatever"), (b"riscv", scope(1, ISA))), "rv64gcv"),
    (attributes((b"riscv", scope(2, ISA) + scope(1, ISA))), "rv64gcv"),
    (attributes((b"riscv", scope(1, b"\x04\x90\x01" + ISA))), "rv64gcv"),  # a long number first
    (attributes((b"riscv", scope(1, b"\x07text\0" + ISA))), "rv64gcv"),
    (attributes((b"riscv", scope(1, ISA[:-1]))), "rv64gcv"),  # no NUL at the very end
    (attributes((b"riscv", scope(1, b"\x04\x10"))), None),
    (attributes((b"other", scope(1, ISA))), None),
    (b"B" + attributes((b"riscv", scope(1, ISA)))[1:], None),
    (b"", None),
]


@pytest.mark.parametrize(("section", "arch"), ATTRIBUTES)
def test_attributes_are_found_in_every_order(
    section: bytes, arch: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Made, "_attributes", lambda *_: section)
    assert elf.parse(Made(arch="x").write()).arch == arch


@pytest.mark.parametrize("section", [
    b"A\1",
    attributes((b"riscv", b"\x01\x02")),
    attributes((b"riscv", scope(1, b"\x04\x80"))),
])  # fmt: skip
def test_damaged_attributes(section: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Made, "_attributes", lambda *_: section)
    assert whats(Made(arch="x").write()) == ["ELF file has damaged RISC-V attributes"]


def test_attributes_that_do_not_advance_end(monkeypatch: pytest.MonkeyPatch):
    """Lengths of zero: read to the end, and not for ever."""
    zeros = b"A" + bytes(4) + b"riscv\0" + bytes(50)
    monkeypatch.setattr(Made, "_attributes", lambda *_: zeros)
    assert isinstance(whats(Made(arch="x").write()), list)


def test_dynamic_table_without_an_end(monkeypatch: pytest.MonkeyPatch):
    """It ends where its segment does."""
    made = Made(needed=("libc.so",))
    (kind, strings), (dynamic, table) = made._dynamic()
    parts = [(kind, strings), (dynamic, table[:-16])]
    monkeypatch.setattr(Made, "_dynamic", lambda _: parts)
    assert elf.parse(made.write()).needed == ("libc.so",)


def test_string_without_an_end():
    made = Made(interpreter="/lib/ld").write()
    at = len(made) - len("/lib/ld") - 1
    assert whats(made[:-1]) == [f"ELF file has a string without an end at {at}"]


def test_tables_that_point_nowhere():
    made = bytearray(Made(needed=("libc.so",)).write())
    table = made.rindex(struct.pack("<Q", 5))  # DT_STRTAB
    made[table + 8 : table + 16] = struct.pack("<Q", 1 << 40)
    assert whats(bytes(made)) == ["ELF file has nothing at address 0x10000000000"]
    made[table : table + 8] = struct.pack("<Q", 99)
    assert whats(bytes(made)) == ["ELF file names libraries without a string table"]


def test_parse_refuses_what_is_not_elf():
    with pytest.raises(VerificationError, match="not an archive"):
        list(ar.members(b"text"))
    with pytest.raises(VerificationError, match="ends early"):
        elf.parse(b"\x7fELF")
    for head in (b"x" * 64, b"\x7fELF\3\1" + bytes(60), b"\x7fELF\2\3" + bytes(60)):
        with pytest.raises(VerificationError, match="not an ELF file"):
            elf.parse(head)
