"""What a decorator of a cache does not change.

Knows: the port. Must not know: what decorators add.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO

from attrs import frozen

from rvbuild.core.digest import Digest
from rvbuild.core.ports.cache import CacheEntry, CollectableCache


@frozen
class CacheDecorator:
    """A `CollectableCache` that asks another one."""

    inner: CollectableCache

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        return self.inner.missing(objects)

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        return self.inner.read(item, begin)

    def write(self, item: Digest, data: BinaryIO) -> None:
        self.inner.write(item, data)

    def record(self, name: str) -> bytes | None:
        return self.inner.record(name)

    def write_record(self, name: str, data: bytes) -> None:
        self.inner.write_record(name, data)

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        return self.inner.entries(prefix)

    def strangers(self, prefix: str) -> Iterator[str]:
        return self.inner.strangers(prefix)

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return self.inner.records(names)

    def remove(self, name: str) -> None:
        self.inner.remove(name)
