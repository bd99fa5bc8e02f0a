"""ELF programs of a few instructions, put together byte by byte, for audits of what they need."""

from __future__ import annotations

import struct

from attrs import frozen

BASE = 0x10000
"""Where the file's first byte is loaded."""

NOTYPE, OBJECT, FUNC = 0, 1, 2
_PROGBITS, _SYMTAB, _STRTAB, _NOTE = 1, 2, 3, 7
_ALLOC, _EXEC = 2, 4
_CODE_AT = 128  # after the header of the file (64 bytes) and of the segment (56)


def words(*numbers: int) -> bytes:
    """Instructions one after the other: 32 bits each, or 16 if the lowest two are not both set."""
    return b"".join(one.to_bytes(4, "little")[: 4 if one & 3 == 3 else 2] for one in numbers)


@frozen
class MadeSymbol:
    """A symbol ``offset`` bytes into the code."""

    name: str
    offset: int
    size: int = 0
    kind: int = FUNC


@frozen
class _Part:
    name: str
    data: bytes
    kind: int
    flags: int


@frozen(kw_only=True)
class MadeProgram:
    """A program, or an object file if ``kind`` is 1: its code, and sections by name.

    ``sectioned``: it has section headers; without them its segments alone say what is run.
    """

    code: bytes = b""
    symbols: tuple[MadeSymbol, ...] = ()
    sections: tuple[tuple[str, bytes], ...] = ()
    machine: int = 243
    kind: int = 2
    sectioned: bool = True

    def write(self) -> bytes:
        """Header, one segment that is run, code, sections, section headers."""
        parts = self._parts()
        body, headers, at = b"", bytes(64), _CODE_AT
        for part in parts:
            headers += self._section_header(parts, part, at)
            body += part.data + bytes(-len(part.data) % 16)
            at = _CODE_AT + len(body)
        if not self.sectioned:
            headers, parts = b"", []
        flags = 0x5 if self.machine == 243 else 0
        head = b"\x7fELF\2\1\1" + bytes(9)
        head += struct.pack(
            "<HHIQQQI", self.kind, self.machine, 1, 0, 64, self.sectioned * at, flags
        )
        count = len(parts) + self.sectioned
        head += struct.pack("<HHHHHH", 64, 56, 1, 64, count, count - self.sectioned)
        end = _CODE_AT + len(self.code)  # the segment ends with the code: what follows is data
        segment = struct.pack("<IIQQQQQQ", 1 if self.code else 0, 5, 0, BASE, BASE, end, end, 16)
        return (head + segment).ljust(_CODE_AT, b"\0") + body + headers

    def _parts(self) -> list[_Part]:
        parts = [_Part(".text", self.code, _PROGBITS, _ALLOC | _EXEC)]
        for name, data in self.sections:
            parts.append(_Part(name, data, _NOTE if ".note" in name else _PROGBITS, _ALLOC))
        if self.symbols:
            parts += self._symbol_table()
        names = "".join(f"{part.name}\0" for part in parts)
        return [*parts, _Part(".shstrtab", f"\0{names}.shstrtab\0".encode(), _STRTAB, 0)]

    def _section_header(self, parts: list[_Part], part: _Part, at: int) -> bytes:
        name = parts[-1].data.index(f"\0{part.name}\0".encode()) + 1
        link = len(parts) - 1 if part.kind == _SYMTAB else 0
        address = BASE + at if part.flags & _ALLOC and self.kind != 1 else 0
        place = (address, at, len(part.data))
        return struct.pack("<IIQQQQIIQQ", name, part.kind, part.flags, *place, link, 0, 8, 24)

    @property
    def start(self) -> int:
        """The address of the code's first byte."""
        return 0 if self.kind == 1 else BASE + _CODE_AT

    def _symbol_table(self) -> list[_Part]:
        names, table = b"\0", bytes(24)
        for one in self.symbols:
            place = (self.start + one.offset, one.size)
            table += struct.pack("<IBBHQQ", len(names), 0x10 | one.kind, 0, 1, *place)
            names += one.name.encode() + b"\0"
        return [_Part(".symtab", table, _SYMTAB, 0), _Part(".strtab", names, _STRTAB, 0)]


def go_build(version: str = "go1.23.6", deps: tuple[str, ...] = (), **settings: str) -> bytes:
    """Go's build information, as its linker writes the section; ``deps`` are whole lines."""
    lines = ["path\texample.org/x", *deps, *(f"build\t{n}={v}" for n, v in settings.items())]
    module = "".join(f"{line}\n" for line in lines)
    framed = bytes(16) + module.encode() + bytes(16)
    header = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    return header + b"".join(_length(len(t)) + t for t in (version.encode(), framed))


def _length(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _length(high) if high else bytes([low])


def property_note(kind: int, data: bytes) -> bytes:
    """A section of GNU's program properties with one property."""
    one = struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)
    return struct.pack("<III", 4, len(one), 5) + b"GNU\0" + one


def go_functions(text: int, *functions: tuple[str, int], size: int = 0) -> bytes:
    """The section ``.gopclntab`` of functions by name and offset from ``text``, as of Go 1.20."""
    names, table, rows = b"", b"", b""
    start = 8 + 8 * 8
    first = 8 * len(functions) + 4
    for name, offset in functions:
        table += struct.pack("<II", offset, first + len(rows))
        rows += struct.pack("<Ii", offset, len(names))
        names += name.encode() + b"\0"
    table += struct.pack("<I", size)
    header = struct.pack("<IHBB", 0xFFFFFFF1, 0, 4, 8)
    header += struct.pack("<8Q", len(functions), 0, text, start, 0, 0, 0, start + len(names))
    return header + names + table + rows
