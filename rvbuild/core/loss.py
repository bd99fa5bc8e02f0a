"""Why a result that others offered was not taken.

Knows: figures, and what was said. Must not know: caches.
"""

from __future__ import annotations

from typing import Union

from attrs import frozen


@frozen
class TooSlow:
    """It would have taken longer to fetch than to make.

    Attributes:
        fetch: Seconds that the rest would have taken at the speed at which it came.
        make: Seconds that it and all below it took where they were made.
    """

    fetch: float
    make: float


@frozen
class Unavailable:
    """Nobody gave all of it right.

    Attributes:
        message: What was missing.
        answers: What each cache said, with its name.
    """

    message: str
    answers: tuple[str, ...] = ()


Loss = Union[TooSlow, Unavailable]
