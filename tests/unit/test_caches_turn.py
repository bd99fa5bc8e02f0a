"""What a collection keeps from being done is done afterwards, and not waited for without an end."""

from __future__ import annotations

import pytest
from team import Ticks

from rvbuild.caches.turn import LONGEST, after_collection
from rvbuild.core.errors import CacheBusy, CacheRefused


def work_after(tries: int, done: list[str]) -> None:
    """Work that is done at the try after so many."""
    if done.count("tried") < tries:
        done.append("tried")
        msg = "it is being collected"
        raise CacheBusy(msg, where="team")
    done.append("done")


@pytest.mark.parametrize("tries", [0, 1, 3])
def test_it_is_done_once_the_collection_ends(tries: int):
    clock, done, words = Ticks(), [], []
    after_collection(lambda: work_after(tries, done), words.append, clock, clock.wait)
    assert done == ["tried"] * tries + ["done"]
    assert words == ["it is being collected"] * tries
    assert clock.seconds == 2 * tries


def test_a_collection_that_does_not_end_is_an_error():
    clock, done = Ticks(), []
    with pytest.raises(CacheBusy):
        after_collection(lambda: work_after(1 << 20, done), lambda _: None, clock, clock.wait)
    assert clock.seconds == LONGEST


def test_nothing_else_is_waited_for():
    def refuse() -> None:
        msg = "no right to write"
        raise CacheRefused(msg, where="team")

    clock = Ticks()
    with pytest.raises(CacheRefused):
        after_collection(refuse, lambda _: None, clock, clock.wait)
    assert clock.seconds == 0
