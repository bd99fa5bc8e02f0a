"""What a person writes to name a cache: its address, and what it is for.

Knows: that text. Must not know: which addresses there are. Imports nothing: a build with nothing to
do reads settings with it.

``https://cache.corp/team`` is read. ``write /mnt/team`` is written, ``read+write s3://bucket/team``
both, and ``off`` is no cache: a user's word against a project's cache of that name.

Only a path may have a space, and it begins so that it is surely one: ``/mnt/team cache``,
``./team cache``. ``reed /mnt/team`` is a mistake, and no folder.
"""

from __future__ import annotations

from typing import NamedTuple

OFF = "off"
_PATHS = ("/", "./", "../", "~")
_MODES = {"read": (True, False), "write": (False, True), "read+write": (True, True)}
_NO_FOLDERS = frozenset((*_MODES, "on", "of", "off", "no", "none", "yes", "true", "false"))
"""A word that somebody writes for ``off``, against it, or as a mode; a folder is ``./on``."""


class CacheText(NamedTuple):
    """A cache that somebody set: where it is, whether results are taken from it, and brought."""

    address: str
    reads: bool = True
    writes: bool = False


def read_cache_text(text: str) -> CacheText | None:
    """What a text says; None for ``off``.

    Raises:
        ValueError: it names no address.
    """
    if text == OFF:
        return None
    mode, address = split_mode(text)
    check_address(address)
    return CacheText(address, *_MODES.get(mode, (True, False)))


def split_mode(text: str) -> tuple[str, str]:
    """``read``, ``write``, ``read+write`` or nothing; and the address, which may be none."""
    mode, _, address = text.partition(" ")
    return (mode, address.strip(" ")) if mode in _MODES else ("", text.strip(" "))


def check_address(address: str) -> None:
    """See that an address can be written behind a mode; which kinds there are, it does not know.

    Raises:
        ValueError: it cannot, and what is wrong with it, to be read after its name.
    """
    problem = _problem(address)
    if problem:
        raise ValueError(problem)


def _problem(address: str) -> str:
    if not address:
        return "has no address"
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in address):
        return "has a line's end or another control character in its address"
    if address != address.strip(" "):
        return "has a space at an end of its address"
    if " " in address and not address.startswith(_PATHS):
        return "has a space, which only a path may have that begins with / or ./ (a URL: %20)"
    if address.lower() in _NO_FOLDERS:
        return f"is neither an address nor 'off': a folder of that name is ./{address}"
    return ""
