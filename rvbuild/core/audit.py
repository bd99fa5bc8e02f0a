"""What is wrong with an output: rules over its bytes.

Knows: targets' machines, baselines, what must not be inside. Must not know: files, stores.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from attrs import evolve, frozen

from rvbuild.core import ar, elf
from rvbuild.core.architecture import ARCHITECTURES, EM_RISCV, Architecture, ElfMachine, of_elf
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf import ByteView, Elf
from rvbuild.core.elf_tables import ElfTables, read_tables
from rvbuild.core.errors import VerificationError
from rvbuild.core.finding import Finding, Remark, Weight
from rvbuild.core.isa.needs import ProgramFile, remarks

SHORTEST_WORD = 6
"""Forbidden words (not paths) below this length are not searched: they are everywhere."""


_CHUNK = 8 << 20
_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~%")
_OPTIONS = {b"-I", b"-L"}  # of compilers, which record how they were called


@frozen
class Watched:
    """A file's content, of which no part is read that nobody wants."""

    data: ByteView
    wanted: Callable[[], None]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice, /) -> bytes:
        self.wanted()
        return self.data[part]


def audit(
    rule: OutputRule, data: ByteView, forbidden: Sequence[bytes] = (), path: str | None = None
) -> list[Finding]:
    """Everything wrong with one file of an output.

    Args:
        rule: What the output must be.
        data: The file: ``bytes``, or an ``mmap`` of it.
        forbidden: Must not be inside: paths as whole path prefixes (``/build/`` is found in
            ``"/build/x.c"``, not in ``"example.com/build/x"``), other words as whole words.
        path: The file, if the output is a tree; the rule's path by default.
    """
    at = path or rule.path
    return [Finding.at(at, one) for one in (*_shape(rule, data), *_traces(data, forbidden))]


def unused(rule: OutputRule, used: Collection[str]) -> Iterator[Finding]:
    """A finding for each pattern of a rule that is not among those that are ``used``.

    Only where instructions are read: elsewhere nothing can be found that a pattern would fit.
    """
    row = ARCHITECTURES.get(rule.architecture or "")
    for pattern, _ in rule.detected if row and row.elf.number == EM_RISCV else ():
        if pattern not in used:
            what = f"`detected` has {pattern!r}, and no such function goes beyond the baseline"
            yield Finding(rule.path, what, "take it out of the recipe", Weight.UNUSED)


def _shape(rule: OutputRule, data: ByteView) -> Iterator[Remark]:
    magic = data[:8]
    if magic[:4] == elf.MAGIC:
        yield from _elf(rule, data)
    elif magic in {ar.MAGIC, ar.THIN_MAGIC}:
        yield from _archive(rule, data)
    elif rule.kind == "executable" and magic[:2] != b"#!":
        yield Remark("it is neither an ELF file nor a script", "look at what the script put there")
    elif rule.kind == "executable" and rule.static:
        yield Remark("it is a script, and the recipe says `static`", "drop `static: true`")


def _elf(rule: OutputRule, data: ByteView) -> Iterator[Remark]:
    try:
        tables = read_tables(data)
        program = elf.read_elf(tables)
        if rule.architecture is not None:
            yield from _machine(rule, tables, program)
    except VerificationError as error:
        yield Remark(error.message, "the file is damaged; was it cut while it was written?")
        return
    if rule.kind == "executable" and program.kind not in {elf.EXECUTABLE, elf.SHARED}:
        yield Remark("it is an object file, not a program", "link it")
    if rule.static:
        yield from _dynamic(program)
    for where in program.search if rule.architecture is not None else ():
        if not where.startswith("$ORIGIN"):
            yield Remark(f"it looks for libraries in {where}", "link without -rpath")


def _machine(rule: OutputRule, tables: ElfTables, program: Elf) -> Iterator[Remark]:
    """Whether it is for the architecture, and needs no more than its baseline."""
    wanted = ARCHITECTURES[rule.architecture or ""]
    has = ElfMachine(number=program.machine, bits=program.bits, little_endian=program.little_endian)
    if has != wanted.elf:
        hint = "a compiler for the build machine was used: see CC, GOARCH, --host"
        yield Remark(f"it is for {_machine_name(has)}, not {wanted.name}", hint)
        return
    yield from _flags(wanted, program.flags)
    if wanted.baseline is not None:
        inspected = ProgramFile(wanted.baseline, tables, program)
        yield from remarks(inspected, dict(rule.detected))


def _machine_name(machine: ElfMachine) -> str:
    known = of_elf(machine)
    return known.name if known else f"machine {machine.number} ({machine.bits} bits)"


def _flags(wanted: Architecture, flags: int) -> Iterator[Remark]:
    for rule in wanted.flags:
        value = flags & rule.mask
        if value != rule.value:
            name = rule.names.get(value, f"{value:#x}")
            what = f"its {rule.subject} is {name}, not {rule.names[rule.value]}"
            yield Remark(what, rule.hint)


def _dynamic(program: Elf) -> Iterator[Remark]:
    hint = "link with -static (cgo: -extldflags -static), or drop `static: true`"
    if program.interpreter is not None:
        what = f"it is not static: it wants the interpreter {program.interpreter}"
        yield Remark(what, hint)
    if program.needed:
        yield Remark(f"it is not static: it needs {', '.join(program.needed)}", hint)


def _archive(rule: OutputRule, data: ByteView) -> Iterator[Remark]:
    """Members must be for the target; one remark for each kind of trouble."""
    seen: set[str] = set()
    try:
        for name, member in ar.members(data):
            if member[:4] != elf.MAGIC or rule.architecture is None:
                continue
            tables = read_tables(member)
            for one in _machine(rule, tables, elf.read_elf(tables)):
                if one.what not in seen:
                    seen.add(one.what)
                    yield evolve(one, what=f"member {name.rstrip('/')}: {one.what}")
    except VerificationError as error:
        yield Remark(error.message, "make the archive with `ar rcD`")


# ---- what must not be inside


def _traces(data: ByteView, forbidden: Sequence[bytes]) -> Iterator[Remark]:
    words = [one for one in forbidden if one.startswith(b"/") or len(one) >= SHORTEST_WORD]
    found: dict[bytes, int] = {}
    overlap = max(map(len, words), default=0) + 1
    for start in range(0, len(data) if words else 0, _CHUNK):
        before = min(start, overlap)
        chunk = data[start - before : start + _CHUNK + overlap]
        # A word's neighbours are asked for, and outside of the file they are line ends.
        chunk = chunk if before else b"\n" + chunk
        chunk = chunk if start + _CHUNK + overlap < len(data) else chunk + b"\n"
        for word in words:
            if word not in found and (at := _find(chunk, word)) >= 0:
                found[word] = start - (before or 1) + at
    for word, at in found.items():
        text = _around(data, at)
        hint = _COMPILED_HINT if b"\0" in bytes(data[:_CHUNK]) else _TEXT_HINT
        what = f"{word.decode(errors='replace')} is inside, at byte {at}: {text}"
        yield Remark(what, hint, trace=True)


_COMPILED_HINT = "compile with -trimpath or -ffile-prefix-map, and strip"
_TEXT_HINT = "see what writes it there; take it out, or say the path from the file's own place"


def _find(chunk: bytes, word: bytes) -> int:
    at = chunk.find(word, 1)
    while 0 <= at < len(chunk) - len(word):
        ends = word.startswith(b"/") or chunk[at + len(word)] not in _NAME_BYTES
        if ends and (chunk[at - 1] not in _NAME_BYTES or chunk[at - 2 : at] in _OPTIONS):
            return at
        at = chunk.find(word, at + 1)
    return -1


def _around(data: ByteView, at: int) -> str:
    """The text that begins at ``at``, as far as it can be printed."""
    text = data[at : at + 80]
    end = next((i for i, byte in enumerate(text) if not 0x20 <= byte < 0x7F), len(text))
    return repr(text[:end].decode("ascii"))
