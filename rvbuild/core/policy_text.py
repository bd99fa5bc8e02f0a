"""The text of an acceptance policy: ``2 of [ci, lab, office]``, or the name of one key.

Knows: that text, and which numbers can be reached. Must not know: what a policy decides. Imports
little: a build with nothing to do reads settings with it.
"""

from __future__ import annotations

from rvbuild.core.key_name import is_key_name

_FORM = "write one key's name, or as in: 2 of [ci, lab, office]"
_MOST_DIGITS = 3


def read_policy(text: str) -> tuple[int, tuple[str, ...]]:
    """How many of which keys.

    Raises:
        ValueError: it is another text, or can never be fulfilled.
    """
    number, of, names = (part.strip(" ") for part in text.strip(" ").partition(" of "))
    needed = 1
    keys: tuple[str, ...] = (number,)
    if of:
        is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
        if not (is_number and names[:1] == "[" and names[-1:] == "]"):
            msg = f"no policy of keys; {_FORM}"
            raise ValueError(msg)
        needed, keys = int(number), tuple(name.strip(" ") for name in names[1:-1].split(","))
    check_policy(needed, keys)
    return needed, keys


def check_policy(needed: int, keys: tuple[str, ...]) -> None:
    """See that so many of the keys can agree; of no keys, which means all, any number can.

    Raises:
        ValueError: they cannot.
    """
    if not all(map(is_key_name, keys)):
        msg = f"not the name of a key; {_FORM}"
        raise ValueError(msg)
    if len(set(keys)) != len(keys):
        msg = "a key is named twice, and counts once"
        raise ValueError(msg)
    if needed < 1 or (keys and needed > len(keys)):
        msg = f"{needed} of {len(keys)} keys can never agree"
        raise ValueError(msg)
