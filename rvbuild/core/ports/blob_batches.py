"""Many blobs at the price of one.

Knows: bytes. Must not know: what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from rvbuild.core.digest import Digest
from rvbuild.core.ports.cas import Cas


class BlobBatches(Protocol):
    """Blobs by content, many at once."""

    def read_each(self, blobs: Iterable[Digest]) -> Iterator[bytes]:
        """The bytes of many, each verified, one after another; cheaper than ``read`` for each.

        Raises:
            As ``read`` does.
        """
        ...

    def write_all(self, blobs: Iterable[bytes]) -> None:
        """Write many at the price of one."""
        ...


class BatchedCas(Cas, BlobBatches, Protocol):
    """A store of blobs: one at a time, and many."""
