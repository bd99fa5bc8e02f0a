"""The line of a file that an error points at.

Knows: `file:line:column`, and text files. Must not know: errors, terminals.
"""

from __future__ import annotations

import os
import re

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>[0-9]{1,9})(?::(?P<column>[0-9]{1,9}))?", re.DOTALL)
_WORD = re.compile(r"""[^\s:,{}\[\]"']+""")
_MAX_BYTES = 1 << 20
_LONGEST = 160


def excerpt(where: str) -> tuple[str, str, str] | None:
    """The line at ``where``: what is before the column, the word that begins there, the rest.

    Args:
        where: ``file:line`` or ``file:line:column``, both counted from 1.

    Returns:
        None if there is no such line in a regular, not too long file of text.
    """
    place = _PLACE.fullmatch(where)
    if place is None:
        return None
    line = _line(place["file"], int(place["line"]))
    if line is None:
        return None
    if place["column"] is None:
        return "", line.rstrip(), ""
    column = min(int(place["column"]) - 1, len(line))
    word = _WORD.match(line, column)
    end = word.end() if word else column
    return line[:column], line[column:end], line[end:].rstrip()


def _line(file: str, number: int) -> str | None:
    try:
        if os.path.islink(file):  # what a link leads to need not be for everybody who reads this
            return None
        if not os.path.isfile(file) or os.path.getsize(file) > _MAX_BYTES:
            return None
        with open(file, encoding="utf-8") as opened:
            lines = opened.read(_MAX_BYTES).split("\n")
    except (OSError, ValueError):
        return None
    if not 1 <= number <= len(lines):
        return None
    line = lines[number - 1].expandtabs(1)
    return line if line.strip() and len(line) <= _LONGEST else None
