"""Somebody who signs bytes.

Knows: signatures. Must not know: where the private key is, what is signed.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.public_key import PublicKey


class Signer(Protocol):
    """Signs with one key of ed25519."""

    @property
    def public(self) -> PublicKey:
        """The key by which its signatures are verified."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature: 64 bytes.

        Raises:
            UsageError: nobody signs: the command that should does not.
        """
        ...
