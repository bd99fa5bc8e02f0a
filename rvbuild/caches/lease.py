"""Leases: pushes and collections of one cache keep out of each other's way.

Knows: records of leases, whose age the cache's own clock says. Must not know: what is pushed or
collected.

The rules:

1. Each writes its own lease first, and looks for the other kind afterwards. So of a push and a
   collection that begin at the same moment, at least one sees the other.
2. A push beside a collection ends before it writes anything: what it finds there may be about to
   go. A collection beside a push ends before it removes anything.
3. A lease that nobody took back is void after `VOID` seconds: its owner was killed.

Example: a push writes ``leases/push-5f1c…`` and finds no ``leases/collection``. A collection that
begins now finds the push, takes its own lease back, and says who is at work.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from attrs import field, frozen

from rvbuild.caches.names import LEASES, lease_name
from rvbuild.core.errors import CacheDown, CacheError
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.core.ports.clock import Clock

VOID = 24 * 3600.0
"""Seconds after which a lease holds no longer."""

_COLLECTION = lease_name("collection")


@frozen
class Lease:
    """The right to write into a cache, or to collect it.

    Attributes:
        cache: Which.
        address: For messages.
        now: Seconds since 1970 here; two machines' clocks may differ by far less than `VOID`.
        owner: Who holds it, for messages: a key's name.
    """

    cache: CollectableCache
    address: str
    now: Clock
    owner: str
    _identifier: str = field(factory=lambda: secrets.token_hex(8))

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While this process pushes.

        Raises:
            CacheDown: the cache is being collected.
        """
        with self._written(lease_name(f"push-{self._identifier}")):
            other = self._holder(_COLLECTION)
            if other:
                self._refuse(f"it is being collected by {other}")
            yield

    @contextmanager
    def collecting(self) -> Iterator[float]:
        """While this process collects; when it began, by the cache's clock.

        Raises:
            CacheDown: somebody pushes, or collects.
        """
        other = self._holder(_COLLECTION)
        if other:
            self._refuse(f"it is being collected by {other}")
        with self._written(_COLLECTION):
            began = 0.0
            for entry in self.cache.entries(LEASES):
                if entry.name == _COLLECTION:
                    began = entry.modified
                elif other := self._holder(entry.name):
                    self._refuse(f"{other} pushes into it")
            yield began

    @contextmanager
    def _written(self, name: str) -> Iterator[None]:
        text = f"{self.now():.0f} {self.owner}\n"
        self.cache.write_record(name, text.encode())
        try:
            yield
        finally:
            with suppress(CacheError):  # it is void one day
                self.cache.remove(name)

    def _holder(self, name: str) -> str | None:
        """Who holds a lease; None if there is none, or a void one."""
        record = self.cache.record(name)
        if record is None:
            return None
        since, _, owner = record.decode(errors="replace").strip().partition(" ")
        if not since.isdecimal() or abs(self.now() - int(since)) >= VOID:
            return None
        return owner or "somebody"

    def _refuse(self, why: str) -> NoReturn:
        raise CacheDown(why, where=self.address, hint="try again when that is done")
