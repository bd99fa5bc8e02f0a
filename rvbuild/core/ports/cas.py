"""Content-addressed storage: blobs by the digest of their bytes.

Knows: bytes. Must not know: what they mean.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from rvbuild.core.digest import Digest
from rvbuild.core.elf import ByteView


class Cas(Protocol):
    """Blobs by content."""

    def find(self, sha256: str) -> Digest | None:
        """The digest of the blob with that hash, as far as its name and size say; None: none."""
        ...

    def read(self, blob: Digest) -> bytes:
        """The bytes of ``blob``, verified.

        Raises:
            MissingObject: it is missing, which is a KeyError, too.
            VerificationError: it is there and damaged.
        """
        ...

    def view(self, blob: Digest) -> AbstractContextManager[ByteView]:
        """The bytes of ``blob`` where they are, however many: not verified.

        Raises:
            MissingObject: it is missing, which is a KeyError, too.
        """
        ...

    def write(self, data: bytes) -> Digest: ...
