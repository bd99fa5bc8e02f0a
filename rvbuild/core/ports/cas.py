"""Content-addressed storage: blobs by the digest of their bytes.

Knows: bytes. Must not know: what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rvbuild.core.digest import Digest


class Cas(Protocol):
    """Blobs by content."""

    def read(self, blob: Digest) -> bytes:
        """The bytes of ``blob``, verified.

        Raises:
            KeyError: it is missing.
            VerificationError: it is there and damaged.
        """
        ...

    def write(self, data: bytes) -> Digest: ...

    def write_all(self, blobs: Iterable[bytes]) -> None:
        """Write many at the price of one."""
        ...
