"""The instructions beyond RV64GC in a file's code.

Knows: what may be an instruction, and what may be data among them. Must not know: what is allowed.

Rules, for an instruction of an extension, with the *run* that it is in (what the processor runs
through from one jump to the next):

- A run in which all others are instructions, too, is code: the instruction is beyond the baseline.
- A run with bits that are no instruction of any extension may be a table between functions, or code
  of an extension that is not known: it is doubtful. So is one that a symbol or a mapping symbol
  calls data, all of which could be instructions.
- What is called data and has bits that are no instruction is data. But marks do not make data of
  what the processor runs into: ``.word 0x02008057`` after an ``addi`` is an instruction.

Example: ``jr t0`` and then four addresses of a table, without symbols: their halves make a run that
has reserved bits with a probability of about 9 in 10, so it is doubtful, not a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice

from attrs import field, frozen, mutable

from rvbuild.core.elf_tables import OBJECT, ElfTables
from rvbuild.core.isa.code_regions import CodeRegion, code_regions
from rvbuild.core.isa.elf_symbols import Symbols, read_symbols
from rvbuild.core.isa.go_program import GoFunctions, read_functions
from rvbuild.core.isa.riscv_opcodes import BASE, RESERVED, SELECTORS, extension_of
from rvbuild.core.isa.riscv_scan import candidates

_MOST = 10_000
"""Instructions of a region that are looked at: a program that was packed has millions."""

_WINDOW = 256
"""Bytes before and after an instruction in which its run is looked for."""


@frozen
class Beyond:
    """An instruction that is not RV64GC's.

    ``function`` is empty if no table names it, else ``start`` is its address. ``doubtful``: it may
    be data.
    """

    address: int
    word: int
    extension: str
    function: str = ""
    start: int = 0
    doubtful: bool = False


@frozen
class _Run:
    """Offsets: where it starts, and where the next begins; whether it has reserved bits."""

    start: int
    end: int
    is_broken: bool


@frozen
class _Instruction:
    offset: int
    word: int
    size: int

    @property
    def ends_run(self) -> bool:
        """Whether the next one is not run after it: a jump, a return, a trap."""
        word = self.word
        if self.size == 4:
            jumps = word & 0x7F in {0x67, 0x6F} and not word & 0xF80  # jalr, jal that link nothing
            return jumps or word in {0x00100073, 0x10200073, 0x30200073}  # ebreak, sret, mret
        # a trap of zeros or c.ebreak, or c.j, or c.jr
        return word in {0, 0x9002} or word & 0xE003 == 0xA001 or word & 0xF07F == 0x8002


def beyond_baseline(tables: ElfTables) -> Iterator[Beyond]:
    """Each instruction of a riscv64 file that is not RV64GC's.

    Raises:
        VerificationError: the file is damaged: a table of it, or where its code is.
    """
    names = _Names(tables)
    for region in code_regions(tables):
        yield from _Code(tables, region, names)


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
    _symbols: Symbols = field(factory=Symbols, init=False)
    _run: _Run = field(default=_Run(-1, -1, is_broken=False), init=False)
    _extensions: dict[int, str] = field(factory=dict, init=False)

    def __iter__(self) -> Iterator[Beyond]:
        suspects = list(islice(self._suspects(), _MOST))
        if suspects:
            self._symbols = self._names.of(self._region)
        for offset, word, extension in suspects:
            if not self._run.start <= offset < self._run.end:
                self._run = self._run_around(offset)
            is_data = self._is_data(offset)
            if not (is_data and self._run.is_broken):
                address = self._region.address + offset
                doubtful = is_data or self._run.is_broken
                name, start = self._function(address)
                yield Beyond(address, word, extension, name, start, doubtful)

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

    def _function(self, address: int) -> tuple[str, int]:
        symbol = self._symbols.at(address)
        if symbol is not None:
            return symbol.name, symbol.address
        functions = self._names.functions
        return (functions.at(address) if functions else None) or ("", 0)

    # ---- runs

    def _run_around(self, offset: int) -> _Run:
        start = self._sync(offset)
        is_broken = False
        end = offset
        for one in self._decode(start, offset + _WINDOW):
            if self._symbols.starts_code(self._region.address + one.offset):
                if one.offset > offset:
                    break
                start, is_broken = one.offset, False
            end = one.offset + one.size
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

    def _decode(self, start: int, end: int) -> Iterator[_Instruction]:
        code = self._read(start, end)
        at = 0
        while at + 1 < len(code):
            size = 4 if code[at] & 3 == 3 else 2
            if at + size > len(code):
                return
            yield _Instruction(start + at, int.from_bytes(code[at : at + size], "little"), size)
            at += size
