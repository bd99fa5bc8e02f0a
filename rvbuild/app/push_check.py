"""Whether caches have what a push would bring there.

Knows: which caches are written, and whose records count. Must not know: how anything travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import frozen

from rvbuild.app.own_record import open_said
from rvbuild.app.push import shipments_of, written_caches
from rvbuild.app.push_signer import refuse_revoked
from rvbuild.app.run_caches import PATIENCE, RunCache, opened, signer_of
from rvbuild.app.session import Session
from rvbuild.caches.availability import Lack, find_lacks
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.errors import CacheFault
from rvbuild.core.graph import Target
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.keyring import Keyring

__all__ = ["Lack", "PushCheck", "check_pushed"]


@frozen(kw_only=True)
class PushCheck:
    """What a cache lacks of targets.

    Attributes:
        cache: Its name.
        address: Where it is, without a login.
        results: How many results it should have.
        lacks: What is not there, or not whole.
    """

    cache: str
    address: str
    results: int
    lacks: tuple[Lack, ...]

    @property
    def fault(self) -> CacheFault | None:
        """What is wrong, if something is."""
        if not self.lacks:
            return None
        msg = f"the cache {self.cache} lacks {len(self.lacks)} of {self.results} records"
        again = "push again: what is there is not sent a second time"
        hint = next((each.hint for each in self.lacks if each.hint), again)
        return CacheFault(msg, where=self.address, hint=hint)


def check_pushed(
    session: Session, targets: tuple[Target, ...], names: tuple[str, ...] = ()
) -> list[PushCheck]:
    """Look whether caches have targets, their checks, and every step below that the store has.

    Nothing is sent. What counts are the records of the key that signs here, else those of any
    trusted key, whichever has the most of a cache.

    Raises:
        UsageError: no cache is written; a target was not built here; the key that signs here was
            revoked.
        CacheError: a cache does not answer.
    """
    with opened(session, names, wait=PATIENCE) as caches:
        written, keyring = written_caches(caches, names), caches.keyring
        shipments = shipments_of(session, targets)
        signer = signer_of(session, caches)
        if signer:
            refuse_revoked(keyring, signer.public)
        keys = [signer.public] if signer else _valid_keys(keyring)
        return [_check(cache, keys, shipments, keyring) for cache in written]


def _valid_keys(keyring: Keyring) -> list[PublicKey]:
    keys = (each.public for each in keyring.known)
    return [key for key in keys if keyring.revocation(key) is None]


def _check(
    cache: RunCache,
    keys: Sequence[PublicKey],
    shipments: tuple[TargetShipment, ...],
    keyring: Keyring,
) -> PushCheck:
    lists = [_lacks(cache, key, shipments, keyring) for key in keys]
    nobody = [Lack(label=each.target, problem="no key is trusted here") for each in shipments]
    fewest: list[Lack] = min(lists, key=len) if lists else nobody
    return PushCheck(
        cache=cache.name,
        address=cache.address,
        results=sum(len(each.results) + 1 for each in shipments),
        lacks=tuple(fewest),
    )


def _lacks(
    cache: RunCache, key: PublicKey, shipments: tuple[TargetShipment, ...], keyring: Keyring
) -> list[Lack]:
    """What is lacking of a key's records."""
    read, valid_ids = partial(open_said, key, keyring.revocations), keyring.valid_ids
    return [
        lack
        for each in shipments
        for lack in find_lacks(cache.cache, key.name, each, read, valid_ids)
    ]
