"""A cache in memory, with a clock that a test sets."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO

from attrs import define, field

from rvbuild.caches.names import object_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheMiss, CacheRefused
from rvbuild.core.ports.cache import CacheEntry


@define
class DictCache:
    """A `CollectableCache`; ``clock`` is its own, and ``lists`` whether it has lists."""

    clock: float = 1_800_000_000.0
    lists: bool = True
    files: dict[str, tuple[bytes, float]] = field(factory=dict)

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        return frozenset(item for item in objects if object_name(item) not in self.files)

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        if object_name(item) not in self.files:
            raise CacheMiss(item.hash)
        yield self.files[object_name(item)][0][begin:]

    def write(self, item: Digest, data: BinaryIO) -> None:
        self.write_record(object_name(item), data.read())

    def record(self, name: str) -> bytes | None:
        return self.files[name][0] if name in self.files else None

    def write_record(self, name: str, data: bytes) -> None:
        self.files[name] = data, self.clock

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        if not self.lists:
            msg = "it has no lists"
            raise CacheRefused(msg)
        for name, (data, modified) in list(self.files.items()):
            if name.startswith(prefix):
                yield CacheEntry(name, len(data), modified)

    def strangers(self, _prefix: str) -> Iterator[str]:
        return iter(())

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return ((name, self.files[name][0]) for name in names if name in self.files)

    def remove(self, name: str) -> None:
        self.files.pop(name, None)
