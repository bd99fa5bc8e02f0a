"""Objects out of caches that stop in the middle, or have other bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from attrs import define, field

from rvbuild.caches.verifying import PROGRESS, VerifyingCache
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import CacheDown, CacheMiss, WrongContent

BODY = bytes(range(256)) * 2048  # 512 KiB
ITEM = Digest.of(BODY)


@define
class Stopping:
    """A cache of one object whose answers stop, each after so many bytes; then it has the rest."""

    stops: list[int]
    body: bytes = BODY
    retry_after: float | None = None
    late: bool = False
    piece: int = 10_000
    begins: list[int] = field(factory=list)

    def read(self, _item: Digest, begin: int = 0) -> Iterator[bytes]:
        self.begins.append(begin)
        stop = self.stops.pop(0) if self.stops else None
        end = len(self.body) if stop is None else begin + stop
        while begin < end:
            piece = self.body[begin : min(end, begin + self.piece)]
            begin += len(piece)
            yield piece
        if stop is not None:
            msg = "the line went dead"
            raise CacheDown(msg, retry_after=self.retry_after, late=self.late)


def read(cache: Stopping, item: Digest = ITEM, begin: int = 0) -> bytes:
    return b"".join(VerifyingCache(cache, "the cache").read(item, begin))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stops", [[0], [1], [0, 0], [100_000] * 5, [PROGRESS, 0, 0] * 4, [len(BODY)], [len(BODY) - 1]]
)
def test_a_cache_that_stops_is_asked_from_there_on(stops: list[int]):
    cache = Stopping(list(stops))
    assert read(cache) == BODY
    assert cache.begins == [sum(stops[:count]) for count in range(len(cache.begins))]
    assert all(begin < len(BODY) for begin in cache.begins)


@pytest.mark.parametrize("stops", [[0] * 3, [PROGRESS - 1] * 3, [PROGRESS, 0, 0, 0]])
def test_a_cache_that_hardly_gets_on_is_down(stops: list[int]):
    with pytest.raises(CacheDown):
        read(Stopping(list(stops)))


@pytest.mark.parametrize("reason", [{"retry_after": 30.0}, {"late": True}])
def test_a_cache_that_is_late_or_says_when_to_ask_is_not_asked_again(reason: dict[str, Any]):
    """Each try would cost as long as the first one."""
    cache = Stopping([100_000] * 2, **reason)
    with pytest.raises(CacheDown):
        read(cache)
    assert cache.begins == [0]


@pytest.mark.parametrize("begin", [0, 1, 9_999, 10_000, 10_001, len(BODY) - 1, len(BODY)])
@pytest.mark.parametrize("stops", [[], [123_456]])
def test_the_rest_of_an_object_is_verified_too(begin: int, stops: list[int]):
    assert read(Stopping(list(stops)), begin=begin) == BODY[begin:]
    wrong = b"\1" + BODY[1:]
    if begin < len(BODY):
        with pytest.raises(WrongContent):
            read(Stopping(list(stops), wrong), begin=begin)


@pytest.mark.parametrize("piece", [1 << 20, 10_000, 1 << 16])
@pytest.mark.parametrize(
    "wrong", [BODY[:-1], BODY + b"!", b"", b"\1" + BODY[1:], BODY[:-1] + b"\1", BODY * 2]
)
def test_nobody_gets_all_bytes_of_what_is_wrong(wrong: bytes, piece: int):
    came = bytearray()
    cache = VerifyingCache(Stopping([], wrong, piece=piece), "the cache")  # type: ignore[arg-type]
    with pytest.raises(WrongContent, match="the cache objects/"):
        came.extend(chain.from_iterable(cache.read(ITEM)))
    assert len(came) < ITEM.size


def test_nothing_is_the_right_content_of_the_empty_object_alone():
    assert read(Stopping([], b""), EMPTY) == b""
    with pytest.raises(WrongContent):
        read(Stopping([], b"!"), EMPTY)
    with pytest.raises(WrongContent):
        read(Stopping([], b""), Digest("0" * 64, 0))


def test_no_more_is_asked_for_than_the_object_has():
    """A cache that never stops sending costs one piece too many."""
    cache = VerifyingCache(Endless(), "the cache")  # type: ignore[arg-type]
    with pytest.raises(WrongContent):
        list(cache.read(Digest.of(b"x" * 1000)))


class Endless:
    """A cache whose objects never end."""

    def read(self, _item: Digest, _begin: int = 0) -> Iterator[bytes]:
        while True:
            yield b"x" * 100


class Empty:
    """A cache of nothing."""

    def read(self, _item: Digest, _begin: int = 0) -> Iterator[bytes]:
        msg = "no"
        raise CacheMiss(msg)


def test_a_miss_is_a_miss():
    with pytest.raises(CacheMiss):
        list(VerifyingCache(Empty(), "the cache").read(ITEM))  # type: ignore[arg-type]
