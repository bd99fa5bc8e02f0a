"""The lines of a text, as YAML counts them.

Knows: line breaks, blank lines, lines that are comments. Must not know: keys, values, files.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from attrs import frozen

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@frozen
class TextLine:
    """Characters of a text: ``end`` is before the line's break, ``after`` is behind it."""

    begin: int
    end: int
    after: int


@frozen
class TextLines:
    """A text and its lines, numbered from 0.

    Attributes:
        all: At least one; the last has no break, and is empty where the text ends with one.
    """

    text: str
    all: tuple[TextLine, ...]

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, number: int) -> TextLine:
        return self.all[number]

    def number(self, index: int) -> int:
        """The number of the line in which a character stands."""
        return bisect_right(self.all, index, key=lambda line: line.begin) - 1

    def prefix(self, index: int) -> str:
        """What stands before a character in its line."""
        return self.text[self[self.number(index)].begin : index]

    def rest(self, index: int) -> str:
        """What stands from a character on in its line."""
        return self.text[index : self[self.number(index)].end]

    def break_near(self, index: int) -> str:
        """The break of a character's line, else of one before it, else a newline."""
        for line in reversed(self.all[: self.number(index) + 1]):
            if line.after > line.end:
                return self.text[line.end : line.after]
        return "\n"

    def before_break(self, index: int) -> int:
        """The same place, or the end of the line above if it is where a line begins."""
        number = self.number(index)
        return self[number - 1].end if self[number].begin == index else index

    def before_blank_lines(self, index: int) -> int:
        """The end of the last line above a place that is not blank."""
        number = self.number(self.before_break(index))
        while not self._stripped(number):
            number -= 1
        return self[number].end

    def is_blank(self, number: int) -> bool:
        """Whether a line has a break, and spaces at most."""
        return self[number].after > self[number].end and not self._stripped(number)

    def comment(self, number: int) -> int:
        """The column of the comment that a line is; -1: it is none."""
        text = self.text[self[number].begin : self[number].end]
        stripped = text.lstrip(" \t")
        return len(text) - len(stripped) if stripped.startswith("#") else -1

    def _stripped(self, number: int) -> str:
        return self.text[self[number].begin : self[number].end].strip()


def lines_of(text: str) -> TextLines:
    """A text with its lines."""
    return TextLines(text, tuple(_lines(text)))


def _lines(text: str) -> Iterator[TextLine]:
    begin = 0
    for found in _BREAK.finditer(text):
        yield TextLine(begin, found.start(), found.end())
        begin = found.end()
    yield TextLine(begin, len(text), len(text))
