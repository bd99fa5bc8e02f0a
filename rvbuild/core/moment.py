"""Moments that others say, in Unix seconds: what is none is not known.

Knows: which years are reckoned with. Must not know: whose moment it is, what time it is.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

_END = int(dt.datetime(9999, 1, 1, tzinfo=dt.UTC).timestamp())
"""The year 9999 has no day behind it."""


def known_moment(seconds: int) -> int | None:
    """A moment; None if it is before 1970, or after the year 9998."""
    return seconds if 0 <= seconds < _END else None


def later(moment: int, seconds: int) -> int:
    """A moment some seconds later, or the last that there is."""
    return min(moment + seconds, _END - 1)


def read_moment(text: str) -> int | None:
    """A moment of ISO 8601, in UTC where it names no other zone; None if the text is none."""
    with suppress(ValueError, OverflowError):
        moment = dt.datetime.fromisoformat(text)
        in_zone = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return known_moment(int(in_zone.timestamp()))
    return None
