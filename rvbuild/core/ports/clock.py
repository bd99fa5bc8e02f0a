"""Time that passes.

Knows: seconds. Must not know: dates.
"""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Seconds that only grow."""

    def __call__(self) -> float: ...
