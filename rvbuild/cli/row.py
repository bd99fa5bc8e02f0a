"""A line of the progress display: what, how much, of what.

Knows: the three columns. Must not know: events, where lines are shown.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen
class Row:
    """One line in three columns: what, how much, of what."""

    word: str
    number: str
    text: str

    def __str__(self) -> str:
        return f"{self.word:<7} {self.number:>10}  {self.text}".rstrip()


Take = Callable[[], list[Row | str]]
"""Gives the lines that wait, each once."""
