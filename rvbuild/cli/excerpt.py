"""The line of a file that an error points at.

Knows: places, and text files. Must not know: errors, terminals.

A line that may have a login in it, or a URL with a query, is not shown: what is cut out of it moves
the mark.
"""

from __future__ import annotations

import os
import re

from rvbuild.core.login import without_secrets
from rvbuild.core.place import Place, UnwrittenPlace

_WORD = re.compile(r"""[^\s:,{}\[\]"']+""")
_MAY_BE_LOGIN = re.compile(r":(?!\s|//)[^@]*@")
_MAX_BYTES = 1 << 20
_LONGEST = 160


def excerpt(place: Place) -> tuple[str, str, str] | None:
    """The line at a place: what is before the column, the word that begins there, the rest.

    Returns:
        None if there is no such line in a regular, not too long file of text, or if it may have a
        secret.
    """
    line = place.text if isinstance(place, UnwrittenPlace) else _line(place.file, place.line)
    if line is None or not _may_be_shown(line):
        return None
    line = line.expandtabs(1)
    if not place.column:
        return "", line.rstrip(), ""
    column = min(place.column - 1, len(line))
    word = _WORD.match(line, column)
    end = word.end() if word else column
    return line[:column], line[column:end], line[end:].rstrip()


def _line(file: str, number: int) -> str | None:
    try:
        if os.path.islink(file):  # what a link leads to need not be for everybody who reads this
            return None
        if not os.path.isfile(file) or os.path.getsize(file) > _MAX_BYTES:
            return None
        with open(file, encoding="utf-8") as stream:
            lines = stream.read(_MAX_BYTES).split("\n")
    except (OSError, ValueError):
        return None
    if not 1 <= number <= len(lines):
        return None
    return lines[number - 1]


def _may_be_shown(line: str) -> bool:
    return bool(line.strip()) and len(line) <= _LONGEST and not _may_have_secret(line)


def _may_have_secret(line: str) -> bool:
    """Whether it has a URL with a login or a query, or a colon before an @.

    Any letters may be between them. The colon of ``key: value`` or of ``https://`` is none.
    """
    return without_secrets(line) != line or _MAY_BE_LOGIN.search(line) is not None
