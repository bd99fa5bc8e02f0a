"""What changes beside a value that moves: patches, the end of support, a release.

Knows: words and lines. Must not know: how a move is found out.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.cli.diff_sections import DiffLine
from rvbuild.core.pin_step import FactChange, PinStep

_ASKED = "because you asked"
_OF_NO_RELEASE = "because a commit is no release"
_PATCHES = "patches"
UNUSED = "no patch of its recipe any more; the file stays"


def patch_lines(step: PinStep) -> Iterator[DiffLine]:
    """Patches that come, go or change their order as a person says."""
    for fact in filter(_is_patches, step.facts):
        old, new = fact.files
        of = fact.name.removesuffix(_PATCHES).rstrip(".")
        where = f" of {of}" if of else ""
        yield from (
            DiffLine(file + where, note=_ASKED, mark="-") for file in old if file not in new
        )
        yield from (
            DiffLine(file + where, note=_ASKED, mark="+") for file in new if file not in old
        )
        if [file for file in old if file in new] != [file for file in new if file in old]:
            yield DiffLine(fact.name, ", ".join(new), note=f"in this order, {_ASKED}")


def fact_lines(step: PinStep) -> Iterator[DiffLine]:
    """The other facts."""
    for fact in step.facts:
        if not _is_patches(fact):
            mark = "" if fact.old and fact.new else "-" if fact.old else "+"
            note = _ASKED if fact.is_said else _OF_NO_RELEASE
            yield DiffLine(fact.name, fact.old, fact.new, note, mark)


def unused_line(file: str) -> DiffLine:
    """A file that is no patch any more."""
    return DiffLine(file, note=UNUSED)


def _is_patches(fact: FactChange) -> bool:
    return fact.name.rpartition(".")[2] == _PATCHES
