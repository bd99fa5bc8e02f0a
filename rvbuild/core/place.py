"""Where something stands: a file, and a line and column in it.

Knows: how a place is written. Must not know: files, how a place is shown.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Place:
    """A place in a file; lines and columns are counted from 1, and 0 is none.

    Written ``file:line:column``, as compilers write it, and shorter without a column or a line.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = (number for number in (self.line, self.column) if number)
        return ":".join((self.file, *map(str, numbers)))


@frozen
class UnwrittenPlace(Place):
    """A place in a file as it would be; ``text`` is the line, which the file on disk has not."""

    text: str = ""

    def __str__(self) -> str:
        return f"{Place.__str__(self)} (not written)"


def place_before(place: Place, new: bytes, old: bytes) -> Place:
    """Where the line of a place stood before its file changed, if just one line was the same.

    Args:
        place: A place in the new bytes.
        new: The bytes that nobody has written yet.
        old: Those on disk.
    """
    lines, before = _lines(new), _lines(old)
    text = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    if text and lines.count(text) == before.count(text) == 1:
        return Place(place.file, before.index(text) + 1, place.column)
    return UnwrittenPlace(place.file, place.line, place.column, text)


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="replace").removeprefix("\ufeff").splitlines()
