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

    @classmethod
    def of(cls, place: Place, data: bytes) -> UnwrittenPlace:
        """The place in other bytes than the file has."""
        lines = data.decode(errors="replace").removeprefix("\ufeff").splitlines()
        text = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        return cls(place.file, place.line, place.column, text)
