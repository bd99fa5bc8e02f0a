"""Semantic versions in their order, as Go modules and crates have them.

Knows: precedence (semver.org 2.0.0, 11). Must not know: whose version it is.
"""

from __future__ import annotations

import re
from typing import Self

from attrs import frozen

Number = tuple[int, str]
"""Digits without zeros before them, and before these how many there are: it has no limit."""

_FORM = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?", re.ASCII
)


@frozen(order=True)
class SemanticVersion:
    """A version by what decides its place, first to last.

    A pseudo-version of Go is ordered by its time with no further rule:
    ``v1.2.4-0.20250102030405-0123456789ab`` is between ``v1.2.3`` and ``v1.2.4``. Of two that are
    alike but for what follows a ``+``, that text decides, as in Go's own lists.

    Attributes:
        numbers: Major, minor, patch; empty for what is no such version, which comes first.
        is_release: Whether there is no pre-release.
        prerelease: Of each identifier, whether it is a word, the number, the word.
        build: What follows a ``+``; all of the text, for what is no such version.
    """

    numbers: tuple[Number, ...]
    is_release: bool
    prerelease: tuple[tuple[bool, Number, str], ...]
    build: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version, with or without a ``v``; minor and patch may be missing."""
        match = _FORM.fullmatch(text)
        if match is None:
            return cls((), is_release=False, prerelease=(), build=text)
        *numbers, prerelease, build = match.groups()
        return cls(
            tuple(_number(digits or "0") for digits in numbers),
            is_release=prerelease is None,
            prerelease=tuple(map(_identifier, prerelease.split("."))) if prerelease else (),
            build=build or "",
        )


def _number(digits: str) -> Number:
    plain = digits.lstrip("0")
    return len(plain), plain


def _identifier(text: str) -> tuple[bool, Number, str]:
    if text.isdecimal():
        return False, _number(text), ""
    return True, (0, ""), text
