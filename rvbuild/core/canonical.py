"""The one encoding whose bytes are hashed for derivations: canonical JSON.

Knows: RFC 8785 without floating point numbers. Must not know: what is encoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Union

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
