"""Packs out of several caches that stop, lie, or ask for a pause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import define, field
from team import Ticks, member

from rvbuild.caches.fetch_watch import FetchWatch, Preference
from rvbuild.caches.member import Member
from rvbuild.caches.pack_source import Doubts, PackSource
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheMiss, RvbuildError, WrongContent
from rvbuild.core.statement import Pack, PackedTree, Statement

BODY = bytes(range(256)) * 4096  # 1 MiB
ITEM = Digest.of(BODY)
PIECE = 1 << 16
BUSY = CacheDown("busy", retry_after=1)
CUT = CacheDown("it hung up", late=True)


@define
class Flawed:
    """A cache of one object.

    Attributes:
        clock: Goes on with each piece.
        body: What it has.
        stops: After how many bytes each of its answers breaks off, and how.
        speed: Bytes a second.
    """

    clock: Ticks
    body: bytes = BODY
    stops: list[tuple[int, Exception]] = field(factory=list)
    speed: float = 1e9
    begins: list[int] = field(factory=list)

    def read(self, _item: Digest, begin: int = 0) -> Iterator[bytes]:
        self.begins.append(begin)
        end, error = self.stops.pop(0) if self.stops else (len(self.body), None)
        while begin < end:
            piece = self.body[begin : min(end, begin + PIECE)]
            begin += len(piece)
            self.clock.wait(len(piece) / self.speed)
            yield piece
        if error:
            raise error


@define
class Scene:
    """Caches in their order, and what they are to each other."""

    clock: Ticks
    caches: tuple[Flawed, ...]
    seconds: float = 5.0
    doubts: Doubts = field(factory=dict)
    tries: list[PackSource] = field(factory=list)
    members: list[Member] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.members = [
            member(VerifyingCache(each, str(at)), self.clock, f"cache{at}", self.seconds)  # type: ignore[arg-type]
            for at, each in enumerate(self.caches)
        ]

    def read(self) -> bytes:
        """The object, as whoever unpacks it asks for it."""
        while True:
            output = PackedTree(root=ITEM, message=ITEM, size=1, files=1, packs=(Pack(ITEM, 0),))
            statement = Statement(derivation=ITEM, label="x", key="ci", output=output)
            watch = FetchWatch(statement, Preference.FETCH, self.clock, lambda _d, _t: None)
            source = PackSource(self.members, watch, _nobody_is_told, self.doubts)
            self.tries.append(source)
            try:
                return b"".join(source.read(ITEM))
            except (WrongContent, CacheMiss):
                if not source.may_come_right:
                    raise


def _nobody_is_told(_member: object, _error: RvbuildError) -> None:
    pass


def flipped(at: int) -> bytes:
    return BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]


HALF = len(BODY) // 2
FLAWS = {
    "a cut": (BODY, [(HALF, CUT)]),
    "a cut at once": (BODY, [(0, CUT)]),
    "a cut in the last piece": (BODY, [(len(BODY) - 1, CUT)]),
    "a miss": (BODY, [(0, CacheMiss("gone"))]),
    "the first bit": (flipped(0), []),
    "the last bit": (flipped(len(BODY) - 1), []),
    "a bit, then a cut": (flipped(0), [(HALF, CUT)]),
    "a bit, then a cut, again and again": (flipped(0), [(HALF, CUT)] * 9),
    "too little": (BODY[:HALF], []),
    "too much": (BODY + b"!", []),
    "nothing": (b"", []),
    "busy": (BODY, [(0, BUSY)]),
    "busy in the middle": (BODY, [(HALF, BUSY)]),
    "busy for ever": (BODY, [(0, BUSY)] * 99),
}


@pytest.mark.parametrize("name", FLAWS)
@pytest.mark.parametrize("others", [1, 2])
def test_all_of_it_comes_if_one_cache_has_it(name: str, others: int):
    """Whatever those before it do, and each pack goes wrong once at most."""
    clock = Ticks()
    body, stops = FLAWS[name]
    flawed = tuple(Flawed(clock, body, list(stops)) for _ in range(others))
    scene = Scene(clock, (*flawed, Flawed(clock)))
    assert scene.read() == BODY
    assert len(scene.tries) <= 2


@pytest.mark.parametrize("name", FLAWS)
def test_alone_it_gives_the_right_bytes_or_none(name: str):
    clock = Ticks()
    body, stops = FLAWS[name]
    scene = Scene(clock, (Flawed(clock, body, list(stops)),))
    if name.startswith("busy") and name != "busy for ever":
        assert scene.read() == BODY
        assert clock.seconds > 1
    else:
        with pytest.raises((CacheMiss, WrongContent)):
            scene.read()
        assert len(scene.tries) <= 2


def test_the_next_cache_goes_on_from_where_one_stopped():
    """At a few megabytes a second, with little time: it sends no byte twice."""
    clock = Ticks()
    first = Flawed(clock, stops=[(HALF, CUT)])
    second = Flawed(clock, speed=2e6)
    scene = Scene(clock, (first, second), seconds=0.2)
    assert scene.read() == BODY
    assert second.begins == [HALF]
    assert [each.is_out for each in scene.members] == [True, False]


def test_a_busy_cache_is_asked_again_from_where_it_stopped():
    clock = Ticks()
    busy = Flawed(clock, stops=[(0, BUSY), (HALF, BUSY)])
    assert Scene(clock, (busy,)).read() == BODY
    assert busy.begins == [0, 0, HALF]


def test_who_has_a_pack_wrong_is_not_asked_for_it_again():
    clock = Ticks()
    wrong, right = Flawed(clock, flipped(0)), Flawed(clock)
    scene = Scene(clock, (wrong, right))
    assert [scene.read(), scene.read()] == [BODY, BODY]
    assert len(wrong.begins) == 1
    assert [each.use.pulled for each in scene.members] == [0, 0]
    scene.tries[-1].count(1.0)
    assert [each.use.pulled for each in scene.members] == [0, 1]
