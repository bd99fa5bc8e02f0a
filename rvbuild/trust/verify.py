"""Envelopes become statements that somebody trusted made, or are refused with the reason.

Knows: signatures, keyrings, canonical JSON. Must not know: what statements say beyond whose they
are, whose word is enough, where envelopes are from.

The rules:

1. The payload's type is the one that the caller reads: a closure is no realisation.
2. A signature counts if it verifies by a key of the keyring that was not revoked. A key id only
   says which key to try; without one, each is tried.
3. A statement is canonical JSON, an object, and its member `key` names a key whose signature
   counts. So nobody can put their own signature below another builder's statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.canonical import Json, decode
from rvbuild.core.dsse import Envelope, Signature
from rvbuild.core.errors import Malformed, Untrusted, Where
from rvbuild.core.printable import brief
from rvbuild.core.public_key import PublicKey
from rvbuild.core.revocation import Revocation
from rvbuild.trust.ed25519 import is_signature
from rvbuild.trust.keyring import Keyring

_HINT = advise("if its owner is to be trusted: ", Remedy.TRUST_KEY)


@frozen
class SignedBody:
    """What ``key`` said: a JSON object, of which only the member ``key`` was looked at."""

    key: PublicKey
    body: Mapping[str, Json]


def verify_statement(
    data: bytes, payload_type: str, keyring: Keyring, where: Where | None = None
) -> SignedBody:
    """What an envelope says, if a trusted key says it.

    Args:
        data: The envelope, of which nothing is known.
        payload_type: What it must be.
        keyring: Whom to trust.
        where: Where it is from, for messages.

    Raises:
        Malformed: it is no envelope, or its signed payload is no statement.
        Untrusted: nobody trusted says so.
    """
    try:
        envelope = Envelope.decode(data)
        keys = signers(envelope, payload_type, keyring)
        return _signed_body(envelope.payload, keys)
    except (Malformed, Untrusted) as error:
        error.where = where
        raise


def signers(envelope: Envelope, payload_type: str, keyring: Keyring) -> tuple[PublicKey, ...]:
    """The trusted keys that signed an envelope, at least one.

    Raises:
        Untrusted: there is none, or the payload is of another type; ``details`` says of each
            signature what is wrong with it.
    """
    if envelope.payload_type != payload_type:
        msg = f"another kind of record was signed: {brief(repr(envelope.payload_type))}"
        raise Untrusted(msg, details=(f"expected: {payload_type!r}",))
    keys: list[PublicKey] = []
    reasons: list[str] = []
    for signature in envelope.signatures:
        tried = keyring.candidates(signature.key_id)
        by = [key for key in tried if is_signature(key.raw, signature.value, envelope.signed_bytes)]
        revoked = list(filter(None, map(keyring.revocation, by)))
        keys += [key for key in by if keyring.revocation(key) is None]
        reasons += map(_revoked_text, revoked) if by else [_failure_text(signature, tried)]
    if not keys:
        msg = "no trusted key signed this" if reasons else "nobody signed this"
        raise Untrusted(msg, details=tuple(reasons), hint=_HINT)
    return tuple(dict.fromkeys(keys))


def _revoked_text(word: Revocation) -> str:
    return f"{word.key.key_id}: revoked on {word.day}: {word.why}"


def _failure_text(signature: Signature, tried: Sequence[PublicKey]) -> str:
    key_id = brief(signature.key_id) or "a key that is not named"
    why = "its signature is not of these bytes" if tried else "not a trusted key"
    return f"{key_id}: {why}"


def _signed_body(payload: bytes, keys: tuple[PublicKey, ...]) -> SignedBody:
    try:
        body = decode(payload)
    except ValueError as error:
        msg = f"what was signed is no statement: {error}"
        raise Malformed(msg) from error
    if not isinstance(body, Mapping):
        msg = "what was signed is no statement: not an object"
        raise Malformed(msg)
    for key in keys:
        if body.get("key") == key.name:
            return SignedBody(key, body)
    names = ", ".join(key.key_id for key in keys)
    msg = f"the statement is of the key {brief(repr(body.get('key')))}, which did not sign it"
    raise Untrusted(msg, details=(f"signed by {names}",))
