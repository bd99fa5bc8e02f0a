"""Where a file's machine code is.

Knows: sections and segments that are run. Must not know: whose code it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.elf_tables import SEGMENT_LOAD, SEGMENT_RUNS, ElfTables


@frozen
class CodeRegion:
    """``size`` bytes of code at ``offset`` of the file.

    ``address`` is where they are loaded; in an object file, where they are in their section, whose
    number is ``section``.
    """

    offset: int
    address: int
    size: int
    section: int = 0


def code_regions(tables: ElfTables) -> list[CodeRegion]:
    """All code of a file: its sections that are run, and what else its segments let run.

    A segment that is run may also hold what is not: the file's headers, and sections of data. What
    no section claims is code, since nothing says that it is not.
    """
    regions = [
        CodeRegion(one.offset, one.address, one.size, one.index)
        for one in tables.sections
        if one.runs and one.size
    ]
    claimed = [(one.offset, one.size) for one in tables.sections if one.kind]
    for segment in tables.segments:
        if segment.kind == SEGMENT_LOAD and segment.flags & SEGMENT_RUNS:
            for start, end in _gaps(segment.offset, segment.size, [*claimed, *tables.headers]):
                address = segment.address + start - segment.offset
                regions.append(CodeRegion(start, address, end - start))
    return regions


def _gaps(offset: int, size: int, claimed: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a range that no other range has, from an even place on."""
    at, end = offset, offset + size
    for start, length in sorted(claimed):
        if at < min(start, end):
            yield at, min(start, end)
        at = max(at, start + length)
        at += at % 2
    if at < end:
        yield at, end
