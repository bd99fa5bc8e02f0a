"""Whether patches apply to files, line by line, without applying them on a disk.

Knows: hunks, as GNU patch places them without fuzz: one may have moved. Must not know: recipes,
sources, who asks. Where this says that a patch applies, GNU patch still has the last word.

A patch is there if it can be taken back, as with ``patch -R``, and does not apply once more. Where
only its lines stand, with others around them, or where both can be done, nobody knows: to leave out
a patch that upstream lacks is worse than to ask.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import IntEnum

from attrs import define, field, frozen

ReadFile = Callable[[str], bytes | None]
"""The content of a file by its path; None: there is no such file."""

_RANGE = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NOTHING = "/dev/null"
_FUZZ = 2
"""How many lines at each end of a hunk may be others; GNU patch's own number."""


class PatchPresence(IntEnum):
    """Whether files have what a patch makes of them; of several, the least holds."""

    ABSENT = 0
    UNKNOWN = 1
    THERE = 2


@frozen
class _Hunk:
    """Where lines stood, and what they become.

    ``lead`` and ``tail`` count the lines before and behind the change that stay; ``removes`` says
    that lines go.
    """

    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    lead: int
    tail: int
    removes: bool

    @property
    def begin(self) -> int:
        """How many lines stood before it."""
        return self.line - 1 if self.old else self.line

    def back(self, fuzz: int) -> _Hunk:
        """What takes it back, with as many lines less at its longer end, as GNU patch has it."""
        longer = max(self.lead, self.tail)
        head, foot = (min(each, max(0, fuzz + each - longer)) for each in (self.lead, self.tail))
        return _Hunk(
            line=self.line,
            old=self.new[head : len(self.new) - foot],
            new=self.old[head : len(self.old) - foot],
            lead=self.lead - head,
            tail=self.tail - foot,
            removes=True,
        )


@frozen
class _FilePatch:
    """The hunks of one file; ``path`` is without the first part of the name."""

    path: str
    is_new: bool
    hunks: tuple[_Hunk, ...]


@define
class PatchFit:
    """Files that patches are tried on, one after the other.

    Attributes:
        read: The files as they are.
    """

    read: ReadFile
    _changed: dict[str, list[str] | None] = field(factory=dict, init=False)

    def problem(self, patch: bytes) -> str:
        """What of a patch does not apply, as ``a.go: line 7``; empty if all does.

        The next patch is tried on what this one gives, if it applies.
        """
        changed: dict[str, list[str] | None] = {}
        for each in _files(patch.decode(errors="surrogateescape").split("\n")):
            lines = changed[each.path] if each.path in changed else self._lines(each.path)
            if each.is_new != (lines is None):
                return f"{each.path}: {'there already' if each.is_new else 'not there'}"
            try:
                changed[each.path] = _applied(lines or [], each.hunks)
            except LookupError as error:
                return f"{each.path}: line {error.args[0]}"
        self._changed |= changed
        return ""

    def presence(self, patch: bytes) -> PatchPresence:
        """Whether the files, as they are, have already what a patch makes of them."""
        files = [*_files(patch.decode(errors="surrogateescape").split("\n"))]
        if not any(each.hunks for each in files):
            return PatchPresence.ABSENT
        return min(_presence(each, self._unchanged(each.path)) for each in files)

    def _lines(self, path: str) -> list[str] | None:
        return self._changed[path] if path in self._changed else self._unchanged(path)

    def _unchanged(self, path: str) -> list[str] | None:
        data = self.read(path)
        return None if data is None else data.decode(errors="surrogateescape").split("\n")


def _applied(lines: Sequence[str], hunks: Iterable[_Hunk]) -> list[str]:
    """Lines after all hunks.

    Raises:
        LookupError: the lines of one are nowhere; with the number of its first.
    """
    done: list[str] = []
    at = moved = 0
    for hunk in hunks:
        begin = _place(lines, hunk, at, hunk.begin + moved)
        moved = begin - hunk.begin
        done += [*lines[at:begin], *hunk.new]
        at = begin + len(hunk.old)
    return [*done, *lines[at:]]


def _presence(patch: _FilePatch, lines: Sequence[str] | None) -> PatchPresence:
    if lines is None:  # a file that a patch removes may stand elsewhere now
        return (
            PatchPresence.ABSENT if any(hunk.new for hunk in patch.hunks) else PatchPresence.UNKNOWN
        )
    if patch.is_new:
        new = [line for hunk in patch.hunks for line in hunk.new]
        return PatchPresence.THERE if [*lines] in (new, [*new, ""]) else PatchPresence.ABSENT
    if not _stand(lines, patch.hunks, _FUZZ):
        return PatchPresence.ABSENT
    applies_again = any(_fits(lines, hunk, 0) for hunk in patch.hunks)
    is_exact = _stand(lines, patch.hunks, 0)
    return PatchPresence.THERE if is_exact and not applies_again else PatchPresence.UNKNOWN


def _stand(lines: Sequence[str], hunks: Iterable[_Hunk], fuzz: int) -> bool:
    """Whether lines have all that hunks make of them, one below the other.

    All that a hunk leaves stands as it says if it takes lines away, whatever the fuzz is.
    """
    at = 0
    for hunk in hunks:
        backward = map(hunk.back, range(1 if hunk.removes else fuzz + 1))
        there = next((each for each in backward if each.old and _fits(lines, each, at)), None)
        if there is None:
            return False
        at = _place(lines, there, at, hunk.begin) + len(there.old)
    return True


def _fits(lines: Sequence[str], hunk: _Hunk, first: int) -> bool:
    with suppress(LookupError):
        _place(lines, hunk, first, hunk.begin)
        return True
    return False


def _place(lines: Sequence[str], hunk: _Hunk, first: int, guess: int) -> int:
    """Where the old lines of a hunk stand, nearest to where they should.

    One that has less behind its change than before it is of the end of the file; one that has
    less before it, and was at the beginning, is of that.
    """
    last = len(lines) - len(hunk.old)
    if lines and not lines[-1]:
        last -= hunk.tail < hunk.lead  # behind the last break is nothing
    places = range(last if hunk.tail < hunk.lead else first, last + 1)
    if hunk.lead < hunk.tail and hunk.line <= 1:
        places = range(1)
    for begin in sorted(places, key=lambda each: abs(each - guess)):
        if begin >= first and tuple(lines[begin : begin + len(hunk.old)]) == hunk.old:
            return begin
    raise LookupError(hunk.line)


def _files(lines: Sequence[str]) -> Iterator[_FilePatch]:
    """The files of a diff, each with its hunks."""
    at = 0
    while at < len(lines):
        if lines[at].startswith("--- ") and lines[at + 1 : at + 2] != []:
            old, new = (_name(line) for line in lines[at : at + 2])
            at, hunks = _hunks(lines, at + 2)
            path = old if new == _NOTHING else new
            yield _FilePatch(_stripped(path), old == _NOTHING, tuple(hunks))
        else:
            at += 1


def _name(line: str) -> str:
    return line[4:].partition("\t")[0].strip()


def _stripped(name: str) -> str:
    return posixpath.normpath(name.partition("/")[2])


def _hunks(lines: Sequence[str], at: int) -> tuple[int, list[_Hunk]]:
    """The hunks from a line on, and the line behind them."""
    hunks: list[_Hunk] = []
    while at < len(lines) and (found := _RANGE.match(lines[at])):
        line, old, new = (int(text or 1) for text in found.groups())
        begin = at = at + 1
        while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\")):
            old -= lines[at][:1] not in ("+", "\\")
            new -= lines[at][:1] not in ("-", "\\")
            at += 1
        hunks.append(_hunk(line, [each for each in lines[begin:at] if each[:1] != "\\"]))
    return at, hunks


def _hunk(line: int, lines: Sequence[str]) -> _Hunk:
    kinds = "".join(each[:1] or " " for each in lines)
    return _Hunk(
        line=line,
        old=tuple(each[1:] for each in lines if each[:1] != "+"),
        new=tuple(each[1:] for each in lines if each[:1] != "-"),
        lead=len(kinds) - len(kinds.lstrip(" ")),
        tail=len(kinds) - len(kinds.rstrip(" ")),
        removes="-" in kinds,
    )
