"""What pushes into one cache, and what came of it.

Knows: the store, the key that signs. Must not know: which caches, which results.
"""

from __future__ import annotations

import time
from functools import partial

from attrs import define, field

from rvbuild.app.own_record import open_own
from rvbuild.app.run_caches import RunCache, signed_record
from rvbuild.app.session import Session
from rvbuild.app.signing_key import KeyFolders
from rvbuild.caches.lease import Lease
from rvbuild.caches.push import Pusher
from rvbuild.core.events import Finished, Phase, Reporter
from rvbuild.core.ports.signer import Signer


def pusher_of(session: Session, cache: RunCache, signer: Signer, tally: PushTally) -> Pusher:
    """Who pushes into a cache; whoever asks has the store shared."""
    keyring = KeyFolders.of(session.workspace).keyring()
    return Pusher(
        cache=cache.cache,
        cas=session.store.cas,
        trees=session.store.trees,
        key_id=signer.public.key_id,
        valid_ids=keyring.valid_ids,
        sign=partial(signed_record, signer),
        open=partial(open_own, signer.public, cache.address),
        pushed=tally,
        lease=Lease(cache.cache, cache.address, time.time, signer.public.name),
        folder=session.store.layout.tmp,  # /tmp is often memory, and a pack may have gigabytes
    )


@define
class PushTally:
    """Adds up what is pushed, and reports each result once.

    Attributes:
        report: Where to.
        sent: Bytes that were sent.
        there: Bytes that were there before.
    """

    report: Reporter
    sent: int = 0
    there: int = 0
    _labels: set[str] = field(factory=set)
    _last: float = field(factory=time.monotonic)

    @property
    def count(self) -> int:
        """How many results are there now."""
        return len(self._labels)

    def __call__(self, label: str, sent: int, there: int) -> None:
        now = time.monotonic()
        how = "pushed" if sent else "there"
        self.report(Finished(label, Phase.PUSH, how, now - self._last, sent or there))
        self.sent += sent
        if label not in self._labels:
            self.there += there
        self._labels.add(label)
        self._last = now
