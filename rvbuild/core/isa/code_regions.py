"""Where a file's machine code is.

Knows: sections and segments that are run. Must not know: whose code it is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.elf_tables import SEGMENT_LOAD, SEGMENT_RUNS, ElfTables
from rvbuild.core.errors import Malformed


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

    Raises:
        Malformed: there is more code than file: the same bytes are run in several places.
    """
    sections = [one for one in tables.sections if one.runs and one.size]
    segments = [
        one for one in tables.segments if one.kind == SEGMENT_LOAD and one.flags & SEGMENT_RUNS
    ]
    if max(sum(one.size for one in each) for each in (sections, segments)) > len(tables.reader):
        msg = "ELF file has more code than bytes"
        raise Malformed(msg)
    claimed = [(one.offset, one.size) for one in tables.sections if one.kind]
    merged = _merged([*claimed, *tables.headers])
    regions = [CodeRegion(one.offset, one.address, one.size, one.index) for one in sections]
    for segment in segments:
        for start, end in _gaps(segment.offset, segment.size, merged):
            address = segment.address + start - segment.offset
            regions.append(CodeRegion(start, address, end - start))
    return regions


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges (offset, size) as starts and ends, in order, with even ends, none in another."""
    merged: list[tuple[int, int]] = []
    for start, size in sorted(ranges):
        end = start + size + (start + size) % 2
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif size:
            merged.append((start, end))
    return merged


def _gaps(offset: int, size: int, claimed: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a range that none of the claimed ones has, from an even place on."""
    at, end = offset + offset % 2, offset + size
    index = bisect_right(claimed, at, key=lambda one: one[1])
    while index < len(claimed) and claimed[index][0] < end:
        start, stop = claimed[index]
        if at < start:
            yield at, start
        at = max(at, stop)
        index += 1
    if at < end:
        yield at, end
