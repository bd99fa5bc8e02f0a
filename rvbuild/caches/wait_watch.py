"""Tells when somebody waits long for a cache: whoever pushes has an empty screen meanwhile.

Knows: which calls are under way, and what is progress. Must not know: what is done about a wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TypeVar, cast

from attrs import define, field, frozen

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.core.ports.clock import Clock

T = TypeVar("T")

LONG = 4.0
"""Seconds without progress from which a wait is told."""

_BETWEEN = 0.5
"""Seconds between two looks."""


@define
class WaitWatch:
    """Looks whether one of several waits is long, and tells the first that is, once.

    Attributes:
        tell: Told that somebody waits; from a thread of the watch.
        pause: Waits for so many seconds; Interrupted, when the run ends, ends the watch.
        clock: Seconds that only grow.
    """

    tell: Callable[[], None]
    pause: Callable[[float], None]
    clock: Clock
    _since: dict[object, float] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @contextmanager
    def wait(self) -> Iterator[Callable[[], None]]:
        """While somebody waits; gives what to call after each progress."""
        mine = object()

        def progress() -> None:
            with self._lock:
                self._since[mine] = self.clock()

        progress()
        self._begin()
        try:
            yield progress
        finally:
            with self._lock:
                del self._since[mine]

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        with suppress(Interrupted):
            while not self._is_long():
                self.pause(_BETWEEN)
            self.tell()

    def _is_long(self) -> bool:
        with self._lock:
            now = self.clock()
            return any(now - since >= LONG for since in self._since.values())


@frozen
class WatchedCache(CacheDecorator):
    """A cache whose waits are watched.

    Attributes:
        inner: The cache.
        watch: Told of each wait.
    """

    watch: WaitWatch

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        with self.watch.wait():
            return self.inner.missing(objects)

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        return self._stream(self.inner.read(item, begin))

    def write(self, item: Digest, data: BinaryIO) -> None:
        with self.watch.wait() as progress:
            self.inner.write(item, cast("BinaryIO", _Watched(data, progress)))

    def record(self, name: str) -> bytes | None:
        with self.watch.wait():
            return self.inner.record(name)

    def write_record(self, name: str, data: bytes) -> None:
        with self.watch.wait():
            self.inner.write_record(name, data)

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        return self._stream(self.inner.entries(prefix))

    def strangers(self, prefix: str) -> Iterator[str]:
        return self._stream(self.inner.strangers(prefix))

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return self._stream(self.inner.records(names))

    def remove(self, name: str) -> None:
        with self.watch.wait():
            self.inner.remove(name)

    def _stream(self, items: Iterator[T]) -> Iterator[T]:
        """Items, of which each is waited for; what is done between two is no wait."""
        while True:
            with self.watch.wait():
                some = next(items, _END)
            if some is _END:
                return
            yield cast("T", some)


_END = object()


@frozen
class _Watched:
    """What somebody writes: each piece that is taken of it is progress."""

    data: BinaryIO
    progress: Callable[[], None]

    def read(self, size: int = -1) -> bytes:
        self.progress()
        return self.data.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.progress()
        return self.data.seek(offset, whence)

    def tell(self) -> int:
        return self.data.tell()
