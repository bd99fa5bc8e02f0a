"""When an index of Debian named packages, as the snapshot archive of Debian spells it.

Knows: the spelling of a moment. Must not know: where an archive is, what time it is.
"""

from __future__ import annotations

import datetime as dt
import re

from attrs import frozen

_FORM = "%Y%m%dT%H%M%SZ"
_YEARS = range(2005, 9999)  # the snapshot archive began in 2005; year 9999 has no day after it


@frozen(order=True)
class Snapshot:
    """A moment in UTC, to the second: the ``Date`` of the index that named a package.

    Written ``20260830T142311Z``.

    Raises:
        ValueError: there can be no index of that moment; the text is to follow a fact's name.
    """

    moment: dt.datetime

    def __attrs_post_init__(self) -> None:
        if self.moment.utcoffset() != dt.timedelta(0) or self.moment.year not in _YEARS:
            msg = f"cannot be {self.moment.isoformat()}"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Read ``20260830T142311Z``.

        Raises:
            ValueError: see the class.
        """
        msg = f"must be a moment in UTC such as 20260830T142311Z, not {text!r}"
        if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
            raise ValueError(msg)
        try:
            return cls(dt.datetime.fromisoformat(text))
        except ValueError:
            raise ValueError(msg) from None

    def __str__(self) -> str:
        return self.later(days=0)

    def later(self, *, days: int) -> str:
        """The same time some days later, in the same spelling."""
        return (self.moment + dt.timedelta(days=days)).strftime(_FORM)


def is_snapshot(text: str) -> bool:
    """Whether ``text`` is a moment, as ``20260830T142311Z``."""
    try:
        Snapshot.parse(text)
    except ValueError:
        return False
    return True
