"""Keys of tests, what they sign, and a keyring without files."""

from __future__ import annotations

from rvbuild.core.canonical import Json, encode
from rvbuild.core.dsse import Envelope
from rvbuild.core.revocation import Revocation
from rvbuild.trust.keyring import Keyring, KnownKey
from rvbuild.trust.private_key import PrivateKey

KIND = "application/vnd.rvbuild.realisation+json"


def private_key(name: str) -> PrivateKey:
    """The same key for the same name, each time."""
    return PrivateKey(name, name.encode().ljust(32, b"\x01"))


def keyring(*names: str, revoked: tuple[str, ...] = ()) -> Keyring:
    """A keyring with such keys, of which some are revoked."""
    keys = [private_key(name).public for name in sorted((*names, *revoked))]
    words = (private_key(name).public for name in revoked)
    return Keyring(
        tuple(KnownKey(key, (f"{key.name}.pub",)) for key in keys),
        tuple(Revocation(key, "2026-11-29", "the laptop was stolen") for key in words),
    )


def signed(body: Json, *names: str, kind: str = KIND) -> Envelope:
    """An envelope of a statement, signed by keys of these names."""
    envelopes = [Envelope.sign(kind, encode(body), private_key(name)) for name in names]
    signatures = tuple(each.signatures[0] for each in envelopes)
    return Envelope(payload=encode(body), payload_type=kind, signatures=signatures)
