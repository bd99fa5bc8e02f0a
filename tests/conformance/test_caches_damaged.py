"""What arrives of a cache whose answers are damaged: never wrong bytes, never late, no login lost.

Each fault is done to the answers of a real server by a gateway before it. All waits of a test end
at one moment, as a run's budget lets them.
"""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest
from attrs import define, evolve, frozen
from bucket_server import SECRET, BucketServer
from cache_faults import DAMAGES, FULL, LATER, SHORT, WRITE_DAMAGES, whole
from cache_places import GATED, Behind, services
from faulty_gateway import Call, Gateway, Reply, Send, gateway

from rvbuild.caches.names import MARK, MARK_TEXT, object_name, realisation_name
from rvbuild.caches.table import open_cache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheError, CacheMiss, RvbuildError
from rvbuild.core.ports.cache import CollectableCache

BODY = bytes(range(256)) * 2048  # 512 KiB
ITEM = Digest.of(BODY)
RECORD = realisation_name("ci", "ab" * 32)
SLACK = 2.0
"""Seconds that this machine, which does other things beside, may add."""
CANARY = "canary-4711"
"""A password; whoever but the cache's own server has it has stolen it."""
SECRETS = re.compile(f"{CANARY}|{SECRET}|{base64.b64encode(f'al:{CANARY}'.encode()).decode()}")


@frozen
class Tried:
    """How something ended, and after how many seconds, of those that it had."""

    ending: RvbuildError | str
    seconds: float
    most: float


@define
class Countdown:
    """Seconds that are left, of those that a run has for all that a test does.

    They begin to run out when `end` is set.
    """

    end: float = 0.0

    def __call__(self) -> float:
        return self.end - time.monotonic() if self.end else SHORT


@frozen
class Scene:
    """A cache behind a gateway, another host beside it, and what is really in the cache."""

    cache: CollectableCache
    gateway: Gateway
    other: Gateway
    behind: Behind
    countdown: Countdown

    def tried(self, ask: Callable[[], object], seconds: float = SHORT) -> Tried:
        """How something ended for which so many seconds are left."""
        began = time.monotonic()
        self.countdown.end = began + seconds
        try:
            ask()
        except RvbuildError as error:
            return Tried(error, time.monotonic() - began, seconds)
        return Tried(FULL, time.monotonic() - began, seconds)

    def refuse_theft(self) -> None:
        """See that no secret went to the other host, and neither is in the errors of this one."""
        for call in self.other.calls:
            head = call.head.decode("latin-1")
            assert not SECRETS.search(head), head
            assert "authorization" not in head.lower()


@contextmanager
def scene(kind: str, tmp_path: Path, buckets: BucketServer) -> Iterator[Scene]:
    countdown = Countdown()
    with (
        GATED[kind](tmp_path, buckets) as gated,
        gateway(gated.server) as gate,
        gateway(gated.server) as other,
        services(countdown, gated.environment(CANARY)) as given,
    ):
        address = gated.address(gate.address, CANARY)
        gated.behind.put(MARK, MARK_TEXT)
        gated.behind.put(object_name(ITEM), BODY)
        yield Scene(open_cache(address, given), gate, other, gated.behind, countdown)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("kind", GATED)
def test_what_is_read(kind: str, name: str, tmp_path: Path, buckets: BucketServer):
    damage, came = DAMAGES[name], bytearray()
    with scene(kind, tmp_path, buckets) as at:
        at.gateway.fault = damage.make(at.gateway, at.other.address)
        read = chain.from_iterable(at.cache.read(ITEM))
        end = at.tried(lambda: came.extend(read), damage.seconds)
    if end.ending == FULL:
        assert FULL in damage.endings
        assert came == BODY
    else:
        assert type(end.ending) in damage.endings, end.ending
        assert len(came) < len(BODY)
    check(at, end)


def check(at: Scene, end: Tried) -> None:
    """What holds however it ended: in time, and no secret is anywhere but where it belongs."""
    assert end.seconds < end.most + SLACK
    at.refuse_theft()
    if isinstance(end.ending, RvbuildError):
        assert not SECRETS.search(f"{end.ending} {end.ending.hint} {end.ending.details}")


@pytest.mark.parametrize("name", [name for name in DAMAGES if DAMAGES[name].seconds > SHORT])
@pytest.mark.parametrize("kind", GATED)
def test_what_a_record_is(kind: str, name: str, tmp_path: Path, buckets: BucketServer):
    """Nobody but its reader can tell whether a record is right; but it comes in time, or not."""
    with scene(kind, tmp_path, buckets) as at:
        at.behind.put(RECORD, BODY)
        fault = DAMAGES[name].make(at.gateway, at.other.address)
        at.gateway.fault = lambda call, reply, send: fault(of_object(call), reply, send)
        end = at.tried(lambda: at.cache.record(RECORD), DAMAGES[name].seconds)
    assert end.ending == FULL or isinstance(end.ending, CacheError)
    check(at, end)


def of_object(call: Call) -> Call:
    return evolve(call, path=call.path.replace("records/", "objects/"))


@pytest.mark.parametrize("name", WRITE_DAMAGES)
@pytest.mark.parametrize("kind", GATED)
def test_what_is_written(kind: str, name: str, tmp_path: Path, buckets: BucketServer):
    """An error, or the object is there whole; the next one who asks is never told a lie."""
    damage, other = WRITE_DAMAGES[name], BODY[::-1]
    item = Digest.of(other)
    with scene(kind, tmp_path, buckets) as at:
        at.cache.write_record(RECORD, b"")
        at.gateway.fault = damage.make(at.gateway, at.other.address)
        end = at.tried(lambda: at.cache.write(item, io.BytesIO(other)), damage.seconds)
        is_there = at.behind.files().get(object_name(item)) == other
        bodies = [call.body for call in at.other.calls]
    assert any(type(end.ending) is ending or end.ending == ending for ending in damage.endings), (
        end.ending
    )
    assert is_there or end.ending != FULL
    assert not any(bodies)
    check(at, end)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("kind", GATED)
def test_an_object_is_there_also_where_nobody_says_its_size(
    kind: str, tmp_path: Path, buckets: BucketServer, *, ranges: bool
):
    """Some proxies leave it out of an answer without a body: else each push sends all again."""

    def fault(call: Call, reply: Reply, send: Send) -> None:
        if call.method == "HEAD":
            reply = reply.without("Content-Length")
        elif not ranges:
            reply = whole(call, reply)
        send(bytes(reply))

    smaller = Digest(ITEM.hash, ITEM.size - 1)
    with scene(kind, tmp_path, buckets) as at:
        at.gateway.fault = fault
        other = Digest.of(b"other")
        assert at.cache.missing([ITEM, smaller, other]) == {smaller, other}
        at.cache.write_record(RECORD, b"")  # and so the mark
        at.gateway.calls.clear()
        at.cache.write(ITEM, io.BytesIO(BODY))
        assert {call.method for call in at.gateway.calls} == {"HEAD", "GET"}


@pytest.mark.parametrize("kind", GATED)
def test_a_busy_cache_says_when_to_ask_again(kind: str, tmp_path: Path, buckets: BucketServer):
    with scene(kind, tmp_path, buckets) as at:
        at.gateway.fault = DAMAGES["too many requests"].make(at.gateway, "")
        end = at.tried(lambda: list(at.cache.read(ITEM)))
    assert isinstance(end.ending, CacheDown)
    assert end.ending.retry_after == float(LATER[1])


@pytest.mark.parametrize("kind", GATED)
def test_a_silent_cache_is_late_and_a_broken_one_is_not(
    kind: str, tmp_path: Path, buckets: BucketServer
):
    """A timeout is told as what it is: whoever waits for several caches counts it."""
    for name, is_late in (("silence", True), ("a cut at once", False), ("no HTTP", False)):
        with scene(kind, tmp_path / name.replace(" ", "-"), buckets) as at:
            at.gateway.fault = DAMAGES[name].make(at.gateway, "")
            end = at.tried(lambda: list(at.cache.read(ITEM)))
        assert isinstance(end.ending, CacheDown)
        assert end.ending.late == is_late, name


@pytest.mark.parametrize("kind", GATED)
def test_an_object_that_goes_away_after_the_plan_is_a_miss(
    kind: str, tmp_path: Path, buckets: BucketServer
):
    with scene(kind, tmp_path, buckets) as at:
        assert at.cache.missing([ITEM]) == frozenset()
        at.behind.remove(object_name(ITEM))
        assert isinstance(at.tried(lambda: list(at.cache.read(ITEM))).ending, CacheMiss)


@pytest.mark.parametrize("kind", GATED)
def test_a_silent_cache_costs_the_wait_once_however_much_is_asked(
    kind: str, tmp_path: Path, buckets: BucketServer
):
    def fault(_call: Call, _reply: Reply, _send: Send) -> None:
        at.gateway.paused()

    items = [Digest.of(bytes([number])) for number in range(200)]
    with scene(kind, tmp_path, buckets) as at:
        at.gateway.fault = fault
        end = at.tried(lambda: at.cache.missing(items))
    assert isinstance(end.ending, CacheDown)
    check(at, end)
