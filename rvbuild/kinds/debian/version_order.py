"""Versions of Debian packages in their order.

Knows: deb-version(7). Must not know: packages, indexes.
"""

from __future__ import annotations

import re

VersionPart = tuple[tuple[tuple[int, ...], "Number"], ...]
Number = tuple[int, str]
"""Digits without zeros before them, and before these how many there are: it has no limit."""


def version_key(version: str) -> tuple[Number, VersionPart, VersionPart]:
    """A key that orders versions as dpkg does (deb-version(7)).

    Upstream version and revision are cut into pairs of non-digits and a number; ``~`` sorts
    before the end, letters before everything else.
    """
    epoch, colon, rest = version.partition(":")
    upstream, _, revision = (rest if colon else version).rpartition("-")
    if not upstream:
        upstream, revision = revision, ""
    number = epoch if colon and re.fullmatch(r"[0-9]+", epoch) else ""
    return (_number(number), _pairs(upstream), _pairs(revision))


def _pairs(text: str) -> VersionPart:
    pairs = re.findall(r"([^0-9]*)([0-9]*)", text)
    return tuple(((*map(_order, letters), 0), _number(digits)) for letters, digits in pairs)


def _number(digits: str) -> Number:
    plain = digits.lstrip("0")
    return len(plain), plain


def _order(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
