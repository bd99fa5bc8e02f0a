"""Sources from outside.

Knows: that a source has one content. Must not know: where it is had.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.source import Source

S_contra = TypeVar("S_contra", contravariant=True)


class Fetcher(Protocol[S_contra]):
    """Brings one kind of source into a sink, having checked its identity.

    Raises:
        SourceError: no transport had it; every attempt is in ``details``.
        VerificationError: bytes arrived that are not the pinned ones.
    """

    def fetch(self, source: S_contra, into: TreeSink, advance: Advance) -> None: ...


AnyFetcher = Fetcher[Source]


class Sources(AnyFetcher, Protocol):
    """Brings sources of every kind, until nobody wants them any more."""

    def cancel(self) -> None:
        """End what waits for a server: it raises Interrupted. Nothing is fetched afterwards."""
        ...
