"""Keys of earlier versions: under which name a source is in a store that an earlier rvbuild made.

Knows: how version 1 made the key of a source. Must not know: stores.
"""

from __future__ import annotations

import hashlib

from rvbuild.core.canonical import Json, encode
from rvbuild.core.gomod import parse_go_sum
from rvbuild.core.source import GoModFiles, Source


def former_digest(source: Source) -> str:
    """The derivation digest that version 1 had for bringing a source.

    That of go.mod files named each of them: such a source must have its go.sum's text.
    """
    return hashlib.sha256(encode([1, "fetch", _identity(source)])).hexdigest()


def _identity(source: Source) -> Json:
    if not isinstance(source, GoModFiles):
        return source.identity
    sums = parse_go_sum(source.text.decode(errors="replace"))
    mods = [[path, version, h1] for (path, version), h1 in sorted(sums.mods.items())]
    return {"go-mod-files": [mods, list(map(list, source.modules))]}
