"""Traces: what an answer of a lock was read from.

Knows: how the content of a source gets a digest. Must not know: who asks, how a lock is written.
See "Build systems à la carte" (Mokhov, Mitchell, Peyton Jones 2018) on verifying traces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from rvbuild.core.canonical import encode
from rvbuild.core.names import SourceRef
from rvbuild.core.source import Source

DIGITS = 16

Trace = tuple[tuple[SourceRef, str], ...]
"""Sorted: each source that was read, on any machine, with the digest of its content then."""


@frozen
class Reads:
    """What an answer is read from today, by the names of its recipe.

    ``always`` are sources that the trace names, ``maybe`` those that it may name as well. The name
    in a recipe may mean another source than it meant for the trace: ``{from: a}`` became
    ``{from: b}``. Then the trace still holds, and is one of another question.
    """

    always: frozenset[SourceRef]
    maybe: frozenset[SourceRef] = frozenset()

    def fit(self, trace: Trace | None) -> bool:
        """Whether a trace can be that of an answer of today; None, of an old lock, cannot."""
        names = {asked for asked, _ in trace or ()}
        return trace is not None and self.always <= names <= self.always | self.maybe


def moved(trace: Trace | None, today: Callable[[SourceRef], str | None]) -> Iterator[SourceRef]:
    """The sources of a trace that are not what they were then: it holds if there is none.

    Args:
        trace: The trace of an answer; None is that of an old lock, which names nothing.
        today: Returns the digest of a source's content today, or None if there is no such source.
    """
    return (asked for asked, then in trace or () if today(asked) != then)


def content_digest(ref: SourceRef, spec: str, parts: Sequence[Source]) -> str:
    """The digest of all that can be read in a source: its trees, and the facts of its commit.

    A source for the build machine has other parts on each of them, and machines share a lock.
    So its description ``spec`` stands for it.
    """
    content = spec if ref.machine else [[part.identity, part.commit_facts] for part in parts]
    return hashlib.sha256(encode(content)).hexdigest()[:DIGITS]
