"""ELF files of any machine, made to be read by audits."""

from __future__ import annotations

import struct

from attrs import frozen


@frozen(kw_only=True)
class Made:
    """An ELF file to be written: the fields that an audit looks at."""

    machine: int = 243
    bits: int = 64
    little: bool = True
    kind: int = 2
    flags: int = 0x5
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    arch: str | None = None
    arch_in_section: bool = False

    def write(self) -> bytes:
        """The bytes: header, program headers, section headers, then what they point at."""
        parts = self._parts()
        sectioned = self.arch_in_section and self.arch is not None
        wide = self.bits == 64
        sizes = (64, 56, 64) if wide else (52, 32, 40)
        segments = [one for one in parts if not (sectioned and one[0] == 0x70000003)]
        sections = [one for one in parts if sectioned and one[0] == 0x70000003]
        sections_at = sizes[0] + sizes[1] * (len(segments) + 1)
        body_at = sections_at + sizes[2] * len(sections)
        body = b""
        table = b""
        section_table = b""
        for kind, data in parts:
            at = body_at + len(body)
            if (kind, data) in sections:
                section_table += self._pack("IINNNNIINN", 0, kind, 0, 0, at, len(data), 0, 0, 1, 0)
            else:
                table += self._segment(kind, at, len(data))
            body += data
        # The whole file is loaded at 0x10000, so an address is an offset plus that.
        table += self._segment(1, 0, body_at + len(body))
        ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if self.little else 2, 1]) + bytes(9)
        counts = (sizes[1], len(segments) + 1, sizes[2], len(sections), 0)
        header = self._pack("HHINNNIHHHHHH", self.kind, self.machine, 1, 0, sizes[0],
                            sections_at if sections else 0,
                            self.flags, sizes[0], *counts)  # fmt: skip
        return ident + header + table + section_table + body

    def _pack(self, layout: str, *values: int) -> bytes:
        width = "Q" if self.bits == 64 else "I"
        return struct.pack(("<" if self.little else ">") + layout.replace("N", width), *values)

    def _segment(self, kind: int, at: int, size: int) -> bytes:
        if self.bits == 64:
            return self._pack("IINNNNNN", kind, 4, at, at + 0x10000, at + 0x10000, size, size, 1)
        return self._pack("INNNNNNN", kind, at, at + 0x10000, at + 0x10000, size, size, 4, 1)

    def _parts(self) -> list[tuple[int, bytes]]:
        parts: list[tuple[int, bytes]] = []
        if self.interpreter:
            parts.append((3, self.interpreter.encode() + b"\0"))
        if self.needed or self.rpath:
            parts += self._dynamic()
        if self.arch:
            parts.append((0x70000003, self._attributes(self.arch)))
        return parts

    def _dynamic(self) -> list[tuple[int, bytes]]:
        strings = b"\0"
        entries: list[tuple[int, int]] = []
        for tag, text in [(1, one) for one in self.needed] + [(29, self.rpath or "")]:
            if text:
                entries.append((tag, len(strings)))
                strings += text.encode() + b"\0"
        # An unknown segment kind carries the strings; it comes first, at a known offset.
        sizes = (64, 56) if self.bits == 64 else (52, 32)
        count = 3 + (self.interpreter is not None) + bool(self.arch and not self.arch_in_section)
        count_sections = 1 if self.arch and self.arch_in_section else 0
        at = sizes[0] + sizes[1] * count + (64 if self.bits == 64 else 40) * count_sections
        at += len(self.interpreter) + 1 if self.interpreter else 0
        entries += [(5, at + 0x10000), (0, 0)]
        table = b"".join(self._pack("NN", *one) for one in entries)
        return [(0x60000000, strings), (2, table)]

    def _attributes(self, arch: str) -> bytes:
        body = bytes([4, 16, 5]) + arch.encode() + b"\0"  # stack alignment, then the ISA string
        scoped = bytes([1]) + self._pack("I", len(body) + 5) + body
        vendor = b"riscv\0" + scoped
        return b"A" + self._pack("I", len(vendor) + 4) + vendor
