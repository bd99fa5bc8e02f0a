"""Traces: what an answer of a lock was read from.

Knows: how the content of a source gets a digest. Must not know: who asks, how a lock is written.
See "Build systems à la carte" (Mokhov, Mitchell, Peyton Jones 2018) on verifying traces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from attrs import evolve

from rvbuild.core.canonical import encode
from rvbuild.core.names import SourceRef
from rvbuild.core.source import Source

DIGITS = 16

Trace = tuple[tuple[str, str], ...]
"""Sorted: each source that was read (``RECIPE/SOURCE``), with the digest of its content then."""


def question(ref: SourceRef) -> str:
    """What a trace calls a source: for every build machine the same."""
    return str(evolve(ref, machine=""))


def content_digest(ref: SourceRef, spec: str, parts: Sequence[Source]) -> str:
    """The digest of all that can be read in a source: its trees, and the facts of its commit.

    A source for the build machine has other parts on each of them, and machines share a lock.
    So its description ``spec`` stands for it.
    """
    content = spec if ref.machine else [[part.identity, part.commit_facts] for part in parts]
    return hashlib.sha256(encode(content)).hexdigest()[:DIGITS]
