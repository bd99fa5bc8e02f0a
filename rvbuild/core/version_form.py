"""What a version's text says of it: its family, its place among others, whether it is a release.

Knows: how upstreams spell versions of tags and Go modules. Must not know: which of them exist, who
takes one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from rvbuild.core.component import Rank

_BEFORE = (re.compile(r"(?:.*?[^0-9A-Za-z.])??[vV]?(?=[0-9])"), re.compile(r"[A-Za-z]+(?=[0-9])"))
_NUMBERS = re.compile(r"[0-9]+(?:[._][0-9]+)*")
_PSEUDO = re.compile(r"-(?:[0-9A-Za-z.-]*\.)?[0-9]{14}-[0-9a-f]{12}(?![0-9A-Za-z])")
_UNFINISHED = re.compile(
    r"[-._~+]?(?<![A-Za-z])(?:"
    r"(?:alpha|beta|rc|pre|preview|dev|snapshot|nightly|canary|next|milestone)(?![A-Za-z])"
    r"[-._]?[0-9]*(?:\.[0-9]+)*|(?:a|b|c|m)[0-9]+(?![0-9A-Za-z]))",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"[0-9]+")
_ENDLESS = re.compile(r"[0-9]{101}")
"""No upstream counts so far, and Python reads no number of some thousand digits."""
_WORDS = re.compile(r"[0-9]+|[A-Za-z]+")

Form = Callable[[str], "VersionForm | None"]
"""Reads a version in the way of its kind; None for what is none."""


@frozen(kw_only=True)
class VersionForm:
    """A version by what its text says.

    Attributes:
        family: What is alike in all versions that may follow one another.
        major: The same for versions with one major number.
        minor: The same for versions with one major and one minor number.
        release: The same for a release and all that come before it.
        is_prerelease: Whether it comes before a release.
        rank: Its place among others of its family.
    """

    family: str
    major: Hashable
    minor: Hashable
    release: Hashable
    is_prerelease: bool
    rank: Rank = field(repr=False)


def tag_form(text: str) -> VersionForm | None:
    """A version as tags and Go modules have it; None for what has no number, or an endless one.

    Rules:

    1. What stands before the first number is part of the family: ``v``, ``release-``, ``pcre2-``.
    2. So is what stands behind the numbers, where one number is like another: ``-k3s1`` is of the
       family of ``-k3s2``, and ``-k3s1`` is none of a version without it.
    3. ``-rc1``, ``-beta.2`` and their like, and the time and commit of a Go pseudo-version, are no
       part of the family: they say that it comes before the release.
    4. ``2`` is no family of ``2.1``: a tag of one number alone often moves.

    Example: ``v1.35.1-rc1+k3s1`` is a pre-release of ``v1.35.1+k3s1``, and of the family of
    ``v1.32.3+k3s1``.
    """
    before = next(filter(None, (pattern.match(text) for pattern in _BEFORE)), None)
    numbers = _NUMBERS.match(text, before.end()) if before else None
    if before is None or numbers is None or _ENDLESS.search(text):
        return None
    rest = text[numbers.end() :]
    unfinished = _PSEUDO.search(rest) or _UNFINISHED.search(rest)
    behind = rest[: unfinished.start()] + rest[unfinished.end() :] if unfinished else rest
    values = tuple(map(int, _DIGITS.findall(numbers[0])))
    separator = "" if len(values) == 1 else "_" if "_" in numbers[0] else "."
    release, patch = _padded(values), tuple(map(int, _DIGITS.findall(behind)))
    return VersionForm(
        family=f"{before[0]}#{separator}{_DIGITS.sub('#', behind)}",
        major=release[:1],
        minor=release[:2],
        release=release,
        is_prerelease=unfinished is not None,
        rank=(release, unfinished is None, _words(unfinished[0] if unfinished else ""), patch),
    )


def _padded(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Three numbers at least, and no zeros behind: 1.2 is 1.2.0, and neither is below the other."""
    padded = [*numbers, *(0 for _ in range(3 - len(numbers)))]
    while len(padded) > 3 and not padded[-1]:
        padded.pop()
    return tuple(padded)


def _words(text: str) -> tuple[tuple[bool, int, str], ...]:
    """What orders pre-releases: numbers by value, before words."""
    words = _WORDS.findall(text)
    return tuple((not w.isdecimal(), int(w) if w.isdecimal() else 0, w.lower()) for w in words)
