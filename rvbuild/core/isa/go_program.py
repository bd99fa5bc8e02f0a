"""What Go's linker leaves in a program: how it was built, and the names of its functions.

Knows: Go's build information and its table of functions. Must not know: what a program may need.
Sources: Go's debug/buildinfo (the layout since Go 1.18), debug/gosym (the table since Go 1.20).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from attrs import frozen

from rvbuild.core.elf_tables import SEGMENT_LOAD, SEGMENT_WRITABLE, ElfTables
from rvbuild.core.errors import Malformed
from rvbuild.core.isa.elf_symbols import FUNCTION, Symbol
from rvbuild.core.uleb128 import LONGEST, read_uleb128

_MAGIC = b"\xff Go buildinf:"
_HEADER_SIZE, _ALIGNMENT, _INLINE = 32, 16, 0x2
_SENTINEL = 16  # bytes before and after the module information
_SEARCHED, _LONGEST = 1 << 20, 4 << 20  # bytes of data, and of the information
_TABLE_MAGIC = 0xFFFFFFF1  # of the table of functions
_TEXT_WORD = 22  # of runtime.moduledata: a pointer, six slices, three addresses, and then `text`


@frozen(kw_only=True)
class LinkedModule:
    """A module that a program is made of.

    Attributes:
        imported: The path by which it is imported.
        path: That of what stands for it; the same, if nothing does.
        version: Of what stands for it.
        h1: As in a go.sum; empty if it was a folder.
    """

    imported: str
    path: str
    version: str
    h1: str


@frozen
class GoBuild:
    """How a Go program was built: ``settings`` and ``modules`` as ``go version -m`` shows them.

    The program's own module is not one of ``modules``.
    """

    version: str
    settings: Mapping[str, str]
    modules: tuple[LinkedModule, ...] = ()

    @property
    def has_c_code(self) -> bool:
        """Whether cgo may have brought in code that the settings say nothing of."""
        return self.settings.get("CGO_ENABLED") == "1"


def read_build(tables: ElfTables) -> GoBuild | None:
    """A program's build information; None if it has none that can be read.

    Raises:
        Malformed: it ends early.
    """
    start = _build_start(tables)
    if start is None:
        return None
    header = tables.reader.part(start, _HEADER_SIZE)
    if not header[15] & _INLINE:
        return None  # of Go before 1.18, which did not record settings
    version, at = _text(tables, start + _HEADER_SIZE)
    module, _ = _text(tables, at)
    lines = module[_SENTINEL:-_SENTINEL].decode("utf-8", "replace").splitlines()
    settings = [line.split("\t", 1)[1] for line in lines if line.startswith("build\t")]
    return GoBuild(
        version.decode("utf-8", "replace"),
        {name: value for name, _, value in (text.partition("=") for text in settings)},
        tuple(_modules(lines)),
    )


def _modules(lines: list[str]) -> Iterator[LinkedModule]:
    """The modules of ``dep`` lines; a line ``=>`` says what stands for the one before it."""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        word, imported, *_ = [*line.split("\t"), ""]
        if word == "dep":
            effective = following if following.startswith("=>\t") else line
            _, path, version, h1 = [*effective.split("\t"), "", "", ""][:4]
            yield LinkedModule(imported=imported, path=path, version=version, h1=h1)


def _build_start(tables: ElfTables) -> int | None:
    section = tables.section(".go.buildinfo")
    places = [(section.offset, section.size)] if section else []
    places += [
        (one.offset, one.size)
        for one in tables.segments
        if one.kind == SEGMENT_LOAD and one.flags & SEGMENT_WRITABLE
    ]
    for offset, size in places[:2]:  # as debug/buildinfo: the section, and the first of these
        data = tables.reader.part(offset, min(size, _SEARCHED))
        at = data.find(_MAGIC)
        while at >= 0:
            if at % _ALIGNMENT == 0:
                return offset + at
            at = data.find(_MAGIC, at + 1)
    return None


def _text(tables: ElfTables, at: int) -> tuple[bytes, int]:
    """A text after its length, and where it ends."""
    size = min(LONGEST, max(len(tables.reader) - at, 0))
    length, digits = read_uleb128(tables.reader.part(at, size))
    if length > _LONGEST:
        msg = "Go's build information is damaged"
        raise Malformed(msg)
    return tables.reader.part(at + digits, length), at + digits + length


@frozen
class GoFunctions:
    """The table of functions, which is also in a stripped program."""

    _tables: ElfTables
    _names: int
    _functions: int
    _text: int
    _starts: tuple[int, ...]
    _places: tuple[int, ...]

    def at(self, address: int) -> Symbol | None:
        """The function that an address belongs to."""
        index = bisect_right(self._starts, address - self._text) - 1
        return self._function(index) if 0 <= index < len(self._places) else None

    def named(self, prefixes: tuple[str, ...]) -> Iterator[Symbol]:
        """The functions whose names begin so."""
        for index in range(len(self._places)):
            function = self._function(index)
            if function is not None and function.name.startswith(prefixes):
                yield function

    def _function(self, index: int) -> Symbol | None:
        start, end = self._starts[index : index + 2]
        reader = self._tables.reader
        try:
            entry = reader.fields("II", self._functions + self._places[index])
            name = reader.text(self._names + entry[1])
        except Malformed:
            return None
        return Symbol(self._text + start, max(end - start, 0), name, FUNCTION)


def read_functions(tables: ElfTables) -> GoFunctions | None:
    """Go's functions; None if there are none, or their table is of a kind that is not known."""
    try:
        return _functions(tables)
    except Malformed:  # a later Go's: names are for people, and their lack is no fault
        return None


def _functions(tables: ElfTables) -> GoFunctions | None:
    section = tables.section(".gopclntab") or tables.section(".data.rel.ro.gopclntab")
    code = tables.section(".text")
    if section is None or code is None or section.size < 8:
        return None
    reader, start = tables.reader, section.offset
    if reader.fields("I", start)[0] != _TABLE_MAGIC:
        return None
    count, _, text, names, _, _, _, functions = reader.fields("NNNNNNNN", start + 8)
    data = reader.part(start + functions, min(8 * count + 4, section.size))
    values = struct.unpack(f"{reader.order}{len(data) // 4}I", data[: len(data) & ~3])
    text = text or _text_of_module(tables) or code.address
    return GoFunctions(
        tables, start + names, start + functions, text, values[0::2], values[1 : 2 * count : 2]
    )


def _text_of_module(tables: ElfTables) -> int:
    """Where Go's code starts, by the runtime's description of the module; 0 if it does not say.

    Since Go 1.26 the table of functions does not say it, and C code may come first.
    """
    module = tables.section(".go.module")
    return tables.reader.fields("N", module.offset + 8 * _TEXT_WORD)[0] if module else 0
