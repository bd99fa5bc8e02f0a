"""What a cache may cost a run, and when making a result is quicker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from attrs import define
from team import Ticks

from rvbuild.caches.arrival import Arrival
from rvbuild.caches.budget import FLOOR, StallBudget
from rvbuild.caches.fetch_watch import FetchWatch, Preference
from rvbuild.caches.member import MOST_WRONG, Member
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    CacheDown,
    CacheError,
    CacheMiss,
    CacheRefused,
    SubstituteError,
    WrongContent,
)
from rvbuild.core.loss import TooSlow
from rvbuild.core.statement import Pack, PackedTree, Statement

ITEM = Digest("ab" * 32, 1 << 30)


def waited(budget: StallBudget, clock: Ticks, seconds: float, size: int = 0) -> None:
    with budget.waiting():
        clock.wait(seconds)
    budget.came(size)


def test_a_silent_cache_may_cost_the_budget_and_no_more():
    clock = Ticks()
    budget = StallBudget(5, clock)
    waited(budget, clock, 3)
    assert budget.left == 2
    clock.wait(100)  # nobody waited for it
    assert budget.left == 2
    waited(budget, clock, 2)
    assert budget.left == 0


def test_what_comes_pays_for_the_time():
    clock = Ticks()
    budget = StallBudget(5, clock)
    for _ in range(1000):
        waited(budget, clock, 1, FLOOR)
    assert (budget.left, budget.waited, budget.size) == (5, 1000, 1000 * FLOOR)


def test_a_trickle_does_not():
    """1 KiB a second: out after five seconds and a little, though each second brings something."""
    clock = Ticks()
    budget = StallBudget(5, clock)
    seconds = 0
    while budget.left:
        waited(budget, clock, 1, 1024)
        seconds += 1
    assert seconds == 6
    budget.came(1 << 30)
    assert budget.left == 0  # once out is out


def test_who_waits_together_waits_once():
    clock = Ticks()
    budget = StallBudget(5, clock)
    with budget.waiting(), budget.waiting(), budget.waiting():
        clock.wait(4)
    assert budget.left == 1


@define
class Scripted:
    """A cache that answers by a script: bytes, or an error."""

    answers: Iterator[bytes | Exception]

    def record(self, _name: str) -> bytes | None:
        return self._next()

    def resume(self, arrival: Arrival) -> Iterator[bytes]:
        while piece := self._next():
            arrival.add(piece)
            yield piece

    def _next(self) -> bytes:
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def scripted(clock: Ticks, *answers: bytes | Exception) -> Member:
    cache = Scripted(iter(answers))
    return Member(
        name="team",
        cache=cache,  # type: ignore[arg-type]
        budget=StallBudget(5, clock),
        pause=clock.wait,
    )


def test_a_cache_that_asks_for_a_pause_gets_it_within_its_budget():
    clock = Ticks()
    busy = CacheDown("429", retry_after=2)
    team = scripted(clock, busy, busy, b"record")
    assert team.record("x") == b"record"
    assert (clock.seconds, team.is_out, team.use.requests) == (4, False, 3)


@pytest.mark.parametrize("seconds", [0, -1, 0.001])
def test_a_cache_that_asks_for_no_pause_is_not_hammered(seconds: float):
    clock = Ticks()
    team = scripted(clock, *(CacheDown("503", retry_after=seconds) for _ in range(50)))
    with pytest.raises(CacheDown, match="503"):
        team.record("x")
    assert team.use.requests == 10  # in 5 seconds


def test_a_pause_that_the_budget_has_not_leaves_it_out():
    clock = Ticks()
    busy = CacheDown("429", retry_after=2)
    team = scripted(clock, busy, busy, busy, b"record")
    with pytest.raises(CacheDown, match="429"):
        team.record("x")
    assert (clock.seconds, team.is_out, team.use.reason) == (4, True, "429")
    with pytest.raises(CacheDown, match="left out: 429"):
        team.record("x")


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda: CacheDown("no answer"), 1),
        (lambda: CacheRefused("it wants a login"), 1),
        (lambda: WrongContent("other bytes"), MOST_WRONG),
        (lambda: CacheMiss("gone"), 50),
    ],
    ids=["down", "refused", "wrong", "miss"],
)
def test_how_often_a_cache_is_asked_that_does_not_give(make: Callable[[], Exception], most: int):
    team = scripted(Ticks(), *(make() for _ in range(50)))
    for _ in range(50):
        with pytest.raises((CacheError, WrongContent)):
            list(team.read(Arrival(ITEM)))
    assert team.use.requests == most
    assert team.is_out == (most < 50)


@define
class Far:
    """A cache whose every answer takes as long; then it sends fast."""

    clock: Ticks
    wait: float
    speed: float

    def record(self, _name: str) -> bytes | None:
        self.clock.wait(self.wait)
        return b"x" * 1500

    def resume(self, arrival: Arrival) -> Iterator[bytes]:
        self.clock.wait(self.wait)
        while arrival.size < arrival.item.size:
            piece = b"x" * min(1 << 18, arrival.item.size - arrival.size)
            arrival.add(piece)
            self.clock.wait(len(piece) / self.speed)
            yield piece


def test_a_speed_is_that_of_packs_alone():
    """150 records over 100 ms have 225,000 bytes in 15 s, and say nothing of 70 MB."""
    clock = Ticks()
    far = Member(
        name="far", cache=Far(clock, 0.1, 1e7), budget=StallBudget(50, clock), pause=clock.wait
    )  # type: ignore[arg-type]
    for number in range(150):
        far.record(str(number))
    assert far.speed is None
    for _ in far.read(Arrival(Digest("ab" * 32, 70 * MB))):
        pass
    assert far.speed == pytest.approx(70 * MB / 7.1, rel=0.01)
    for number in range(150):
        far.record(str(number))
    assert far.speed == pytest.approx(70 * MB / 7.1, rel=0.01)


def watch(
    clock: Ticks, transfer: int, make: int, prefer: Preference = Preference.AUTO
) -> FetchWatch:
    """Of a result with ``transfer`` bytes, that took ``make`` seconds."""
    packs = (Pack(Digest("cd" * 32, transfer), 1),)
    output = PackedTree(root=ITEM, message=ITEM, size=2 * transfer, files=1, packs=packs)
    statement = Statement(
        derivation=ITEM, label="k3s", key="ci", output=output, closure_milliseconds=make * 1000
    )
    return FetchWatch(statement, prefer, clock, lambda _done, _total: None)


MB = 1_000_000


@pytest.mark.parametrize(
    ("speed", "prefer", "is_made"),
    [
        (100_000, Preference.AUTO, True),
        (100_000, Preference.FETCH, False),
        (MB, Preference.AUTO, False),
    ],
)
def test_what_takes_longer_to_fetch_than_to_make_is_made(
    speed: int, prefer: Preference, *, is_made: bool
):
    """K3s: 70 MB, 431 s."""
    clock = Ticks()
    fetch = watch(clock, 70 * MB, 431, prefer)

    def come() -> int:
        for piece in itertools.count(1):
            clock.wait(0.25)
            fetch.came(speed // 4)
            if piece * speed // 4 >= 70 * MB:
                return piece
        raise AssertionError

    if is_made:
        match = "would take 699 s more; making it took 431 s"
        with pytest.raises(SubstituteError, match=match) as caught:
            come()
        assert caught.value.loss == TooSlow(pytest.approx(699, abs=0.1), 431)
        assert clock.seconds == 1
        with pytest.raises(SubstituteError, match="700 s more"):
            fetch.expect(speed)
    else:
        come()
        fetch.expect(speed)


def test_nobody_is_judged_in_the_first_second_nor_for_less():
    clock = Ticks()
    fetch = watch(clock, 70 * MB, 0)
    clock.wait(0.9)
    fetch.came(1)
    fetch.expect(None)
    fetch.expect(70 * MB)
