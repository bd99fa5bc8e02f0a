"""A wait for a cache is told once it is long, and what goes on is no wait."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest
from attrs import field, frozen
from dict_cache import DictCache
from team import Ticks

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.caches.wait_watch import LONG, WaitWatch, WatchedCache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted
from rvbuild.core.ports.cache import CacheEntry

DATA = b"x"
ITEM = Digest.of(DATA)


@frozen
class StuckCache(CacheDecorator):
    """A cache that answers once somebody is told that it does not."""

    is_told: threading.Event = field(factory=threading.Event)

    def _stick(self) -> None:
        assert self.is_told.wait(60)

    def missing(self, objects: object) -> frozenset[Digest]:
        del objects
        self._stick()
        return frozenset()

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        del item, begin
        self._stick()
        yield DATA

    def write(self, item: Digest, data: BinaryIO) -> None:
        del item, data
        self._stick()

    def record(self, name: str) -> bytes:
        del name
        self._stick()
        return b""

    def write_record(self, name: str, data: bytes) -> None:
        del name, data
        self._stick()

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        del prefix
        self._stick()
        yield from ()

    def strangers(self, prefix: str) -> Iterator[str]:
        del prefix
        self._stick()
        yield from ()

    def records(self, names: object) -> Iterator[tuple[str, bytes]]:
        del names
        self._stick()
        yield from ()

    def remove(self, name: str) -> None:
        del name
        self._stick()


CALLS: dict[str, Callable[[WatchedCache], object]] = {
    "missing": lambda cache: cache.missing([ITEM]),
    "read": lambda cache: list(VerifyingCache(cache, "team").read(ITEM)),
    "write": lambda cache: cache.write(ITEM, io.BytesIO(DATA)),
    "record": lambda cache: cache.record("records/a"),
    "write_record": lambda cache: cache.write_record("records/a", b""),
    "entries": lambda cache: list(cache.entries("")),
    "strangers": lambda cache: list(cache.strangers("")),
    "records": lambda cache: list(cache.records(["records/a"])),
    "remove": lambda cache: cache.remove("records/a"),
}


@pytest.mark.parametrize("call", CALLS)
def test_each_call_that_is_stuck_is_told(call: str):
    stuck, clock = StuckCache(DictCache()), Ticks()
    CALLS[call](WatchedCache(stuck, WaitWatch(stuck.is_told.set, clock.wait, clock)))
    assert LONG <= clock.seconds < LONG + 1


def test_progress_is_no_wait_and_the_end_of_the_run_ends_the_watch():
    """Pieces come for three times as long as a wait may take."""
    clock, told = Ticks(), list[str]()
    ready, ended = threading.Event(), threading.Event()
    came: list[Callable[[], None]] = []

    def pause(seconds: float) -> None:
        assert ready.wait(60)
        clock.wait(seconds)
        came[0]()
        if clock.seconds >= 3 * LONG:
            ended.set()
            msg = "the run ended"
            raise Interrupted(msg)

    with WaitWatch(lambda: told.append("waits"), pause, clock).wait() as progress:
        came.append(progress)
        ready.set()
        assert ended.wait(60)
    assert told == []
