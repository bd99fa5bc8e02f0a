"""Keys of earlier versions: under which name a source is in a store that an earlier rvbuild made.

Knows: how version 1 made the key of a source. Must not know: stores.
"""

from __future__ import annotations

import hashlib

from rvbuild.core.canonical import encode
from rvbuild.core.source import Source


def former_digest(source: Source) -> str:
    """The derivation digest that version 1 had for bringing a source.

    That of go.mod files named each of them: such a source must have its go.sum's text.
    """
    return hashlib.sha256(encode([1, "fetch", source.former_identity])).hexdigest()
