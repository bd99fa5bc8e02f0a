"""The symbols of an ELF file: whose code is at an address.

Knows: symbol tables, mapping symbols. Must not know: what code is.
Sources: gABI chapter 4, "Symbol Table"; RISC-V ELF psABI, "Mapping Symbol".
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from rvbuild.core.elf_tables import OBJECT, ElfSection, ElfTables

_SYMBOL_TABLE, _DYNAMIC_SYMBOLS = 2, 11  # sh_type: SHT_SYMTAB, SHT_DYNSYM
_NO_TYPE, _DATA, FUNCTION, _INDIRECT = 0, 1, 2, 10  # st_type: NOTYPE, OBJECT, FUNC, GNU_IFUNC
_LARGEST = 64 << 20  # bytes of one table that are read
_LONGEST = 4096  # bytes of a name
_NEAR = 32  # symbols before an address among which the one is looked for that covers it
_COMPILERS_LABEL = ".L"
_NO_SECTION = 0xFF00  # st_shndx: SHN_LORESERVE and above are of no section


@frozen(order=True)
class Symbol:
    """A symbol at ``address``; ``size`` is 0 if the table does not say it."""

    address: int
    size: int
    name: str
    kind: int

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + self.size

    @property
    def is_data(self) -> bool:
        """Whether it says that what it names is not run."""
        return self.kind == _DATA

    @property
    def is_function(self) -> bool:
        """Whether it says that what it names is run."""
        return self.kind in {FUNCTION, _INDIRECT}


@frozen
class Symbols:
    """Symbols in order; ``marks`` are the mapping symbols among them.

    A mark ``$d`` says that data begin there, and ``$x`` (or ``$xrv64gcv``) that code does.
    """

    _symbols: tuple[Symbol, ...] = ()
    _marks: tuple[Symbol, ...] = ()
    _starts: list[int] = field(init=False)
    _mark_starts: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_starts", [one.address for one in self._symbols])
        object.__setattr__(self, "_mark_starts", [one.address for one in self._marks])

    def at(self, address: int) -> Symbol | None:
        """The symbol that an address belongs to: one that covers it, or the last label before."""
        label = None
        index = bisect_right(self._starts, address)
        for symbol in reversed(self._symbols[max(index - _NEAR, 0) : index]):
            if address < symbol.end:
                return symbol
            if label is None and not symbol.size:
                label = symbol
        return label

    def starts_code(self, address: int) -> bool:
        """Whether a function or a mark of code is at exactly this address."""
        index = bisect_right(self._mark_starts, address) - 1
        if index >= 0 and self._mark_starts[index] == address:
            return self._marks[index].name.startswith("$x")
        symbol = self.at(address)
        return symbol is not None and symbol.is_function and symbol.address == address

    def is_data(self, address: int) -> bool:
        """Whether a symbol or a mark says that there is no code at an address."""
        index = bisect_right(self._mark_starts, address)
        if index and self._marks[index - 1].name.startswith("$d"):
            return True
        symbol = self.at(address)
        return symbol is not None and symbol.is_data and address < symbol.end


def read_symbols(tables: ElfTables) -> Mapping[int, Symbols]:
    """The symbols of a file, by the section that their addresses are in.

    In an object file that is a section's number; in others all addresses are in one space, 0.

    Raises:
        VerificationError: a table lies outside of the file.
    """
    named: dict[int, list[Symbol]] = {}
    marks: dict[int, list[Symbol]] = {}
    for kind in (_SYMBOL_TABLE, _DYNAMIC_SYMBOLS):  # a file has at most one of each
        section = next((one for one in tables.sections if one.kind == kind), None)
        for space, symbol in _of_table(tables, section) if section else ():
            is_mark = symbol.name.startswith(("$x", "$d"))
            (marks if is_mark else named).setdefault(space, []).append(symbol)
    return {
        space: Symbols(tuple(sorted(named.get(space, []))), tuple(sorted(marks.get(space, []))))
        for space in {*named, *marks}
    }


def _of_table(tables: ElfTables, section: ElfSection) -> Iterator[tuple[int, Symbol]]:
    reader = tables.reader
    if section.link >= len(tables.sections) or section.size > _LARGEST:
        return
    strings = tables.sections[section.link]
    names = reader.part(strings.offset, strings.size)
    form = struct.Struct(reader.form("IBBHNN" if reader.bits == 64 else "INNBBH"))
    data = reader.part(section.offset, section.size - section.size % form.size)
    for values in form.iter_unpack(data):
        if reader.bits == 64:
            name, info, _, index, address, size = values
        else:
            name, address, size, info, _, index = values
        text = names[name : name + _LONGEST].partition(b"\0")[0].decode("utf-8", "replace")
        is_named = text and not text.startswith(_COMPILERS_LABEL)
        if (
            0 < index < _NO_SECTION
            and is_named
            and info & 0xF in {_NO_TYPE, _DATA, FUNCTION, _INDIRECT}
        ):
            space = index if tables.kind == OBJECT else 0
            yield space, Symbol(address, size, text, info & 0xF)
