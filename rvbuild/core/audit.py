"""What is wrong with an output: rules over its bytes.

Knows: targets' machines, baselines, what must not be inside. Must not know: files, stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from rvbuild.core import ar, elf
from rvbuild.core.architecture import ARCHITECTURES, Architecture, ElfMachine, of_elf
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf import ByteView, Elf
from rvbuild.core.errors import VerificationError

SHORTEST_WORD = 6
"""Forbidden words (not paths) below this length are not searched: they are everywhere."""


@frozen
class Finding:
    """``what`` is wrong with the output at ``path``, and what to do about it."""

    path: str
    what: str
    hint: str


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
    findings = [Finding(at, what, hint) for what, hint in _shape(rule, data)]
    return findings + [Finding(at, what, hint) for what, hint in _traces(data, forbidden)]


_Wrong = tuple[str, str]  # what, hint


def _shape(rule: OutputRule, data: ByteView) -> Iterator[_Wrong]:
    magic = data[:8]
    if magic[:4] == elf.MAGIC:
        yield from _elf(rule, data)
    elif magic in {ar.MAGIC, ar.THIN_MAGIC}:
        yield from _archive(rule, data)
    elif rule.kind == "executable" and magic[:2] != b"#!":
        yield "it is neither an ELF file nor a script", "look at what the script put there"
    elif rule.kind == "executable" and rule.static:
        yield "it is a script, and the recipe says `static`", "drop `static: true`"


def _elf(rule: OutputRule, data: ByteView) -> Iterator[_Wrong]:
    try:
        found = elf.parse(data)
        if rule.architecture is not None:
            yield from _machine(rule.architecture, found)
    except VerificationError as error:
        yield error.message, "the file is damaged; was it cut while it was written?"
        return
    if rule.kind == "executable" and found.kind not in {elf.EXECUTABLE, elf.SHARED}:
        yield "it is an object file, not a program", "link it"
    if rule.static:
        yield from _dynamic(found)
    for where in found.search if rule.architecture is not None else ():
        if not where.startswith("$ORIGIN"):
            yield f"it looks for libraries in {where}", "link without -rpath"


def _machine(architecture: str, found: Elf) -> Iterator[_Wrong]:
    wanted = ARCHITECTURES[architecture]
    has = ElfMachine(number=found.machine, bits=found.bits, little_endian=found.little_endian)
    if has != wanted.elf:
        hint = "a compiler for the build machine was used: see CC, GOARCH, --host"
        yield f"it is for {_machine_name(has)}, not {architecture}", hint
        return
    yield from _flags(wanted, found.flags)
    if wanted.baseline is not None and found.arch is not None:
        name = wanted.baseline.name
        beyond = sorted(elf.riscv_extensions(found.arch) - wanted.baseline.extensions)
        if beyond:
            yield f"it uses extensions beyond {name}: {', '.join(beyond)}", f"use -march={name}"


def _machine_name(machine: ElfMachine) -> str:
    known = of_elf(machine)
    return known.name if known else f"machine {machine.number} ({machine.bits} bits)"


def _flags(wanted: Architecture, flags: int) -> Iterator[_Wrong]:
    for rule in wanted.flags:
        value = flags & rule.mask
        if value != rule.value:
            name = rule.names.get(value, f"{value:#x}")
            yield f"its {rule.subject} is {name}, not {rule.names[rule.value]}", rule.hint


def _dynamic(found: Elf) -> Iterator[_Wrong]:
    hint = "link with -static (cgo: -extldflags -static), or drop `static: true`"
    if found.interpreter is not None:
        yield f"it is not static: it wants the interpreter {found.interpreter}", hint
    if found.needed:
        yield f"it is not static: it needs {', '.join(found.needed)}", hint


def _archive(rule: OutputRule, data: ByteView) -> Iterator[_Wrong]:
    """Members must be for the target; one finding for each kind of trouble."""
    seen: set[str] = set()
    try:
        for name, member in ar.members(data):
            if member[:4] != elf.MAGIC or rule.architecture is None:
                continue
            for what, hint in _machine(rule.architecture, elf.parse(member)):
                if what not in seen:
                    seen.add(what)
                    yield f"member {name.rstrip('/')}: {what}", hint
    except VerificationError as error:
        yield error.message, "make the archive with `ar rcD`"


# ---- what must not be inside


def _traces(data: ByteView, forbidden: Sequence[bytes]) -> Iterator[_Wrong]:
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
        yield f"{word.decode(errors='replace')} is inside, at byte {at}: {text}", hint


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
