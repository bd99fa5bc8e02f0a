"""How much an archive may hold, and the meter that counts while it is read.

Knows: numbers. Must not know: formats.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, field, frozen

from rvbuild.core.errors import Malformed

RATIO_FLOOR = 64 << 20
"""Bytes that may come out before a ratio is looked at."""


@frozen(kw_only=True)
class UnpackLimits:
    """What an archive may hold before it is refused.

    ``total`` bytes unpacked (padding and headers included), ``entries``, and ``ratio``: bytes
    unpacked for one byte read, looked at once 64 MiB came out. ``repeats``: an entry may come
    again if it says what it said before.
    """

    total: int = 16 << 30
    entries: int = 500_000
    ratio: int = 250
    repeats: bool = True


class Links(Enum):
    """Which links an archive may hold.

    ``NONE``: none, of either kind. ``INSIDE``: symbolic links whose target stays below the
    root, and hard links. ``ROOTED``: the archive is (part of) a root file system, so that
    absolute targets start at the root of the tree.
    """

    NONE = "none"
    INSIDE = "inside"
    ROOTED = "rooted"


@define
class Meter:
    """Counts what comes out of archive ``name`` against what went in."""

    name: str
    limits: UnpackLimits
    out: int = field(default=0, init=False)

    def count(self, size: int, consumed: int) -> None:
        """``size`` more bytes came out; ``consumed`` bytes went in so far.

        Raises:
            VerificationError: a limit is passed.
        """
        self.out += size
        if self.out > self.limits.total:
            self.refuse(f"unpacks to more than {self.limits.total} bytes")
        if self.out > RATIO_FLOOR and self.out > self.limits.ratio * consumed:
            self.refuse(f"unpacks to more than {self.limits.ratio} times its own size")

    def refuse(self, message: str) -> None:
        """Raise the error of a limit."""
        raise Malformed(message, where=self.name)
