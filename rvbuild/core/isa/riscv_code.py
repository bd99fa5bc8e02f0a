"""The instructions beyond RV64GC in a file's code.

Knows: what may be an instruction, and what may be data among them. Must not know: what is allowed.

Rules, for an instruction of an extension, with the *run* that it is in (what the processor runs
through from one jump to the next):

- A run in which all others are instructions, too, is code: the instruction is beyond the baseline.
- A run with bits that are no instruction of any extension may be a table between functions, or code
  of an extension that is not known: it is doubtful. So is what a symbol or a mapping symbol calls
  data: a jump may lead there.
- Marks do not make data of what the processor runs into: ``.word 0x02008057`` after an ``addi`` is
  an instruction.

Example: ``jr t0`` and then four addresses of a table, without symbols: their halves make a run that
has reserved bits with a probability of about 9 in 10, so it is doubtful, not a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain, islice

from attrs import field, frozen, mutable

from rvbuild.core.elf_tables import OBJECT, ElfTables
from rvbuild.core.isa.code_regions import CodeRegion, code_regions
from rvbuild.core.isa.elf_symbols import Symbol, Symbols, read_symbols
from rvbuild.core.isa.go_program import GoFunctions, read_functions
from rvbuild.core.isa.riscv_flow import decode
from rvbuild.core.isa.riscv_opcodes import BASE, RESERVED, SELECTORS, extension_of
from rvbuild.core.isa.riscv_scan import candidates

MOST = 100_000
"""Instructions beyond RV64GC that are looked at: a program that was packed has millions."""

_NAMELESS = Symbol(0, 0, "", 0)

_WINDOW = 256
"""Bytes before and after an instruction in which its run is looked for."""


@frozen
class Beyond:
    """An instruction that is not RV64GC's.

    ``function`` is empty if no table names it, else it is from ``start`` up to ``end``, which are
    the same if nothing says where it ends. ``doubtful``: it may be data.
    """

    address: int
    word: int
    extension: str
    function: str = ""
    start: int = 0
    end: int = 0
    doubtful: bool = False


@frozen
class _Run:
    """Offsets: where it starts, and where the next begins; whether it has reserved bits."""

    start: int
    end: int
    is_broken: bool


def beyond_baseline(tables: ElfTables, most: int = MOST) -> tuple[list[Beyond], Beyond | None]:
    """The instructions of a riscv64 file that are not RV64GC's, and the first of more than `most`.

    Raises:
        VerificationError: the file is damaged: a table of it, or where its code is.
    """
    names = _Names(tables)
    every = chain.from_iterable(_Code(tables, one, names) for one in code_regions(tables))
    return list(islice(every, most)), next(every, None)


@frozen
class _Names:
    """A file's symbols, which are read once, and only if a name is asked for."""

    _tables: ElfTables

    @cached_property
    def symbols(self) -> Mapping[int, Symbols]:
        return read_symbols(self._tables)

    @cached_property
    def functions(self) -> GoFunctions | None:
        return read_functions(self._tables)

    def of(self, region: CodeRegion) -> Symbols:
        return self.symbols.get(region.section if self._tables.kind == OBJECT else 0, Symbols())


@mutable
class _Code:
    """One region."""

    _tables: ElfTables
    _region: CodeRegion
    _names: _Names
    _run: _Run = field(default=_Run(-1, -1, is_broken=False), init=False)
    _extensions: dict[int, str] = field(factory=dict, init=False)

    @cached_property
    def _symbols(self) -> Symbols:
        return self._names.of(self._region)

    def __iter__(self) -> Iterator[Beyond]:
        for offset, word, extension in self._suspects():
            if not self._run.start <= offset < self._run.end:
                self._run = self._run_around(offset)
            doubtful = self._run.is_broken or self._is_data(offset)
            address = self._region.address + offset
            at = self._function(address)
            yield Beyond(address, word, extension, at.name, at.address, at.end, doubtful)

    def _read(self, start: int, end: int) -> bytes:
        end = min(end, self._region.size)
        return self._tables.reader.part(self._region.offset + start, end - start)

    def _suspects(self) -> Iterator[tuple[int, int, str]]:
        for offset, bits in candidates(self._region.size, self._read):
            word = bits if bits & 3 == 3 else bits & 0xFFFF
            extension = self._extension(word)
            if extension != BASE:
                yield offset, word, extension

    def _extension(self, word: int) -> str:
        key = word & SELECTORS if word & 3 == 3 else word
        if key not in self._extensions:
            self._extensions[key] = extension_of(word)
        return self._extensions[key]

    def _is_data(self, offset: int) -> bool:
        """Whether a mark says so, and nothing runs into it."""
        address, start = self._region.address + offset, self._region.address + self._run.start
        if not (self._symbols.is_data(address) and self._symbols.is_data(start)):
            return False
        symbol = self._symbols.at(start)
        return symbol is None or not symbol.is_function or symbol.address != start

    def _function(self, address: int) -> Symbol:
        functions = self._names.functions
        symbol = self._symbols.at(address) or (functions and functions.at(address))
        return symbol or _NAMELESS

    # ---- runs

    def _run_around(self, offset: int) -> _Run:
        start = self._sync(offset)
        is_broken = False
        end = offset
        for one in decode(self._read(start, offset + _WINDOW), start):
            if self._symbols.starts_code(self._region.address + one.offset):
                if one.offset > offset:
                    break
                start, is_broken = one.offset, False
            end = one.end
            if one.ends_run:
                if one.offset >= offset:
                    break
                start, is_broken = end, False
            elif self._extension(one.word) == RESERVED:
                is_broken = True
        return _Run(start, max(end, offset + 2), is_broken)

    def _sync(self, offset: int) -> int:
        """Where an instruction begins, at most a window before ``offset``."""
        start = max(offset - _WINDOW, 0)
        symbol = self._symbols.at(self._region.address + offset)
        if symbol is not None and symbol.address - self._region.address >= start:
            return symbol.address - self._region.address
        if start == 0:
            return 0
        for at in range(start, offset, 2):  # after a half that looks narrow, see `riscv_scan`
            if self._read(at, at + 1)[0] & 3 != 3:
                return at + 2
        return offset - (offset - start) // 4 * 4
