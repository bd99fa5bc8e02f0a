"""Calls of a cache that end in time, whether the cache does or not.

Knows: threads, and what is progress. Must not know: why a cache is slow.

A folder of a file server that died, and a library that waits by its own rules, do not come back
when somebody asks them to. So each call runs in a thread of its own, which is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import BinaryIO, TypeVar, cast

from attrs import define, field, frozen

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.transfers.cancellation import Cancellation, TooLate
from rvbuild.transfers.deadline import Deadline, Wait

T = TypeVar("T")

_AT_ONCE = 64
"""Objects, entries or records that are asked for in one call."""


@frozen
class TimedCache(CacheDecorator):
    """A cache that gives an answer, or CacheDown, in time.

    Rules:

    1. Each call, and each piece of an object, comes within ``wait``.
    2. A call that writes has progress with each piece that it takes from what it writes.
    3. A call that is left behind reads no more of what it writes: its owner may have closed it.

    Attributes:
        inner: The cache.
        address: For messages.
        wait: How long a caller waits.
        cancellation: Ends all waits.
        clock: Seconds that only grow.
    """

    address: str
    wait: Wait
    cancellation: Cancellation = field(factory=Cancellation)
    clock: Callable[[], float] = time.monotonic

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        left, lacking = iter(objects), frozenset[Digest]()
        while some := list(islice(left, _AT_ONCE)):
            lacking |= self._call(lambda some=some: self.inner.missing(some))  # type: ignore[misc]
        return lacking

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        return self._stream(self.inner.read(item, begin))

    def write(self, item: Digest, data: BinaryIO) -> None:
        deadline = Deadline(self.wait, self.clock)
        watched = _Watched(data, deadline)
        try:
            self._call(lambda: self.inner.write(item, cast("BinaryIO", watched)), deadline)
        finally:
            watched.is_left = True

    def record(self, name: str) -> bytes | None:
        return self._call(lambda: self.inner.record(name))

    def write_record(self, name: str, data: bytes) -> None:
        self._call(lambda: self.inner.write_record(name, data))

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        return self._stream(self.inner.entries(prefix), _AT_ONCE)

    def strangers(self, prefix: str) -> Iterator[str]:
        return self._stream(self.inner.strangers(prefix), _AT_ONCE)

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return self._stream(self.inner.records(names), _AT_ONCE)

    def remove(self, name: str) -> None:
        self._call(lambda: self.inner.remove(name))

    def _stream(self, items: Iterator[T], at_once: int = 1) -> Iterator[T]:
        while some := self._call(lambda: list(islice(items, at_once))):
            yield from some

    def _call(self, call: Callable[[], T], deadline: Deadline | None = None) -> T:
        """What a call gives, or raises.

        Raises:
            CacheDown: it does not end in time.
        """
        deadline = deadline or Deadline(self.wait, self.clock)
        try:
            return self.cancellation.run(call, deadline.left)
        except TooLate:
            msg = f"no answer in {float(deadline):.3g} s"
            raise CacheDown(msg, late=True, where=self.address) from None


@define
class _Watched:
    """What somebody writes, as the call that writes it sees it."""

    data: BinaryIO
    deadline: Deadline
    is_left: bool = False

    def read(self, size: int = -1) -> bytes:
        self._took()
        return self.data.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._took()
        return self.data.seek(offset, whence)

    def tell(self) -> int:
        return self.data.tell()

    def _took(self) -> None:
        if self.is_left:
            msg = "nobody waits for this any more"
            raise ValueError(msg)
        self.deadline.renew()
