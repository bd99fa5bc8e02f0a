"""Walks over what a cache holds, which take long, and tell how far they are.

Knows: counts. Must not know: what is done with each file, who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

Walked = Callable[[str, int, int], None]
"""Told what is walked over, as ``records``, how many were, and how many there are (0: unknown)."""


def tell_nobody(_what: str, _done: int, _total: int) -> None:
    """A ``Walked`` for those who do not ask."""


def walk(items: Iterable[T], what: str, tell: Walked, total: int = 0) -> Iterator[T]:
    """The same items; each is told once it is dealt with."""
    for done, item in enumerate(items, 1):
        yield item
        tell(what, done, total)
