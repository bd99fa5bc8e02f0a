"""What a key said in a cache before.

Knows: one key, and others that have its name. Must not know: what records say.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheRefused, Malformed, Untrusted
from rvbuild.core.public_key import PublicKey
from rvbuild.core.revocation import Revocation
from rvbuild.trust.keyring import Keyring, KnownKey
from rvbuild.trust.verify import verify_statement

_NAMESAKE_HINT = (
    "let each project have a place of its own, or sign with a key of another name; remove the "
    "record if nobody needs it"
)


def open_own(key: PublicKey, address: str, data: bytes, payload_type: str, where: str) -> object:
    """What a key said before, which a push says again.

    Raises:
        VerificationError: it did not say that; then a push writes over it.
        CacheRefused: somebody else's key of the same name did.
    """
    namesake = _namesake(key, data)
    if namesake:
        msg = f"its record {where} is signed by {namesake}, another key of that name"
        details = (f"the key that signs here: {key.key_id}",)
        raise CacheRefused(msg, where=address, details=details, hint=_NAMESAKE_HINT)
    return _opened(key, (), data, payload_type, where)


def open_said(
    key: PublicKey,
    revocations: Iterable[Revocation],
    data: bytes,
    payload_type: str,
    where: str,
) -> object:
    """What a key said before, for who only looks whether it did.

    Raises:
        Malformed: it is no record.
        Untrusted: the key did not say that, or was revoked. There is a hint if a push would not
            write over it.
    """
    namesake = _namesake(key, data)
    if namesake:
        msg = f"signed by {namesake}, another key of that name"
        raise Untrusted(msg, where=where, hint=_NAMESAKE_HINT)
    try:
        return _opened(key, revocations, data, payload_type, where)
    except Untrusted as error:
        error.hint = None
        raise


def _namesake(key: PublicKey, data: bytes) -> str:
    with suppress(Malformed):
        return Envelope.decode(data).namesake(key.name, (key.key_id,))
    return ""


def _opened(
    key: PublicKey,
    revocations: Iterable[Revocation],
    data: bytes,
    payload_type: str,
    where: str,
) -> object:
    keyring = Keyring((KnownKey(key, ()),), tuple(revocations))
    return verify_statement(data, payload_type, keyring, where).body
