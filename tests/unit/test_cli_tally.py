"""What events mean for the counts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from rvbuild.cli.tally import Tally
from rvbuild.core.events import Finished, Phase, Planned, Progressed, Started, Wrote

_MIB = 1 << 20


class _Clock:
    """Seconds that grow when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def _fetch(tally: Tally, label: str, size: int) -> None:
    tally.take(Started(label, Phase.FETCH))
    tally.take(Progressed(label, size, size))
    tally.take(Finished(label, Phase.FETCH, "fetched", 0.1))


def test_summary_names_what_was_done():
    clock = _Clock()
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 2, Phase.BUILD: 1}, 12))
    _fetch(tally, "a", 700 * _MIB)
    _fetch(tally, "b", 69 * _MIB)
    for how in ("built", "built", "reused"):
        tally.take(Finished("x", Phase.BUILD, how, 1))
    tally.take(Finished("m", Phase.MERGE, "merged", 1))
    clock.now += 552
    summary = tally.summary()
    assert summary.text == "built 2, fetched 2 (769 MiB), reused 1, kept 12 in 9 min 12 s"
    assert summary.counts["merged"] == 1


@pytest.mark.parametrize("how", ["failed", "stopped"])
def test_what_failed_is_not_done(how: str):
    tally = Tally(_Clock())
    tally.take(Planned({Phase.FETCH: 2}, 0))
    _fetch(tally, "a", 7)
    tally.take(Started("b", Phase.FETCH))
    tally.take(Finished("b", Phase.FETCH, how, 1))
    assert (tally.view().done[Phase.FETCH], tally.view().planned[Phase.FETCH]) == (1, 2)
    assert tally.summary().counts[how] == 1


def test_plans_add_up():
    """`lock` makes several plans in one run."""
    tally = Tally(_Clock())
    tally.take(Planned({Phase.FETCH: 2}, 1))
    tally.take(Planned({Phase.FETCH: 3, Phase.MERGE: 1}, 1))
    assert tally.view().planned == {Phase.FETCH: 5, Phase.MERGE: 1}
    assert tally.summary().kept == 2


def test_bytes_of_a_second_attempt_count_and_of_a_told_size_do_not_twice():
    tally = Tally(_Clock())
    tally.take(Started("a", Phase.FETCH))
    for done in (10, 30, 5, 40):
        tally.take(Progressed("a", done, 40))
    tally.take(Finished("a", Phase.FETCH, "fetched", 1, size=40))
    assert tally.summary().size == 30 + 40


def test_progress_of_what_does_not_run_is_left_out():
    tally = Tally(_Clock())
    tally.take(Progressed("a", 10, 40))
    tally.take(Wrote("a", "x"))
    tally.take(Finished("a", Phase.FETCH, "fetched", 1))
    assert (tally.view().running, tally.summary().size) == ((), 0)


def test_rate_is_that_of_the_last_seconds():
    clock = _Clock()
    tally = Tally(clock)
    tally.take(Started("a", Phase.FETCH))
    rates = []
    for second in range(1, 31):
        clock.now += 1
        tally.take(Progressed("a", min(second, 15) * _MIB, 0))
        rates.append(tally.view().rate / _MIB)
    assert rates[:15] == pytest.approx([1] * 15)
    assert rates[-1] == 0


def test_estimate_is_mean_size_over_rate():
    """Twenty of thirty are left, each 2 MiB, at 2 MiB/s; too early there is none."""
    clock = _Clock()
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 30}, 0))
    estimates = []
    for number in range(10):
        _fetch(tally, f"m{number}", 2 * _MIB)
        clock.now += 1
        estimates.append(tally.view().fetch_left)
    assert estimates == [None] * 7 + [22, 21, 20]


def test_estimate_is_at_least_what_the_slowest_needs():
    """One fetch at 1 MiB/s with 90 MiB to go takes 90 s, whatever the others did."""
    clock = _Clock()
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 11}, 0))
    tally.take(Started("big", Phase.FETCH))
    clock.now += 10
    for number in range(10):
        _fetch(tally, f"m{number}", 50 * _MIB)
    tally.take(Progressed("big", 10 * _MIB, 100 * _MIB))
    assert tally.view().fetch_left == pytest.approx(90)


def test_no_estimate_once_all_is_fetched():
    clock = _Clock()
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 10}, 0))
    for number in range(10):
        clock.now += 1
        _fetch(tally, f"m{number}", _MIB)
    clock.now += 1
    assert tally.view().fetch_left is None
    assert tally.view().fetch_seconds == pytest.approx(9)


@pytest.mark.usefixtures("_restless")
def test_tally_of_many_threads_loses_nothing():
    clock = _Clock()
    tally = Tally(clock)

    def work(thread: int) -> None:
        for number in range(400):
            label = f"{thread}-{number}"
            tally.take(Started(label, Phase.FETCH))
            for done in range(1, 21):
                tally.take(Progressed(label, done, 20))
            tally.view()
            tally.take(Finished(label, Phase.FETCH, "fetched", 0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view = tally.view()
    assert (view.done[Phase.FETCH], view.size, view.running) == (3200, 64000, ())
