"""What a key can be called, and so the builder who signs with it.

Knows: letters. Must not know: keys. Imports nothing: a build with nothing to do reads settings with
it.
"""

from __future__ import annotations

LONGEST_NAME = 64

KEY_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""A regular expression for the same."""

_MARKS = str.maketrans(dict.fromkeys("._-", "x"))


def is_key_name(text: str) -> bool:
    """Whether it has 1 to 64 letters, digits and ``. _ -`` of ASCII, and begins with no mark."""
    plain = text.translate(_MARKS)
    return plain.isascii() and plain.isalnum() and text[0].isalnum() and len(text) <= LONGEST_NAME
