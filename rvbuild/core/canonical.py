"""The one encoding whose bytes are hashed for derivations: canonical JSON.

Knows: RFC 8785 without floating point numbers. Must not know: what is encoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, Union

Json = Union[None, bool, int, str, Sequence["Json"], Mapping[str, "Json"]]

_encoder = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)


def encode(value: Json) -> bytes:
    """``value`` as UTF-8 JSON: keys sorted by code point, no white space.

    Raises:
        UnicodeEncodeError: a string holds a lone surrogate.
    """
    return _encoder.encode(value).encode()


def decode(data: bytes) -> Json:
    """The value of bytes that ``encode`` could have written.

    Raises:
        ValueError: they are anything else, as the same value with a space or a member twice.
    """
    try:
        value: Json = json.loads(data.decode(), parse_float=_refuse, parse_constant=_refuse)
        canonical = encode(value) == data
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error
    if not canonical:
        msg = "not in canonical form"
        raise ValueError(msg)
    return value


def _refuse(number: str) -> NoReturn:
    msg = f"not a whole number: {number[:40]}"
    raise ValueError(msg)
