"""Ed25519 (RFC 8032): signatures over bytes.

Knows: the library. Must not know: names, files, envelopes. It is the one module that imports the
library, which costs more start-up time than a build with nothing to do takes.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rvbuild.core.public_key import RAW_BYTES


def new_seed() -> bytes:
    """32 bytes that nobody can guess: a private key."""
    return os.urandom(RAW_BYTES)


def public_bytes(seed: bytes) -> bytes:
    """The 32 bytes of the public key that belongs to a private one."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign_bytes(seed: bytes, data: bytes) -> bytes:
    """The signature, 64 bytes; the same each time."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def is_signature(raw: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the owner of a public key signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except InvalidSignature:
        return False
    return True
