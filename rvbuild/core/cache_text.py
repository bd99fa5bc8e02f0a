"""What a person writes to name a cache: its address, and what it is for.

Knows: that text. Must not know: which addresses there are. Imports nothing: a build with nothing to
do reads settings with it.

``https://cache.corp/team`` is read. ``write /mnt/team`` is written, ``read+write s3://bucket/team``
both, and ``off`` is no cache: a user's word against a project's cache of that name.
"""

from __future__ import annotations

from typing import NamedTuple

OFF = "off"
_MODES = {"read": (True, False), "write": (False, True), "read+write": (True, True)}


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
    mode, _, address = text.partition(" ")
    reads, writes = _MODES.get(mode, (True, False))
    address = address.strip() if mode in _MODES else text.strip()
    if not address or " " in address or "\n" in address:
        msg = "write an address, or as in: read+write ADDRESS"
        raise ValueError(msg)
    return CacheText(address, reads, writes)
