"""Walks over a cache tell how far they are, once they are long."""

from __future__ import annotations

import io

import pytest
from team import Ticks

from rvbuild.app.cache_progress import LONG, cache_progress
from rvbuild.caches.entry_walk import walk
from rvbuild.cli.progress import PlainProgress
from rvbuild.core.events import Event, Finished, Phase, Reporter, Started, Wrote


def test_a_short_walk_tells_nothing():
    events: list[Event] = []
    ticks = Ticks()
    with cache_progress(events.append, "team", Phase.COUNT, ticks) as tell:
        for _ in walk(range(1000), "objects", tell):
            ticks.wait(LONG / 1001)
    assert events == []


def test_a_long_walk_tells_now_and_then_and_its_end():
    events: list[Event] = []
    ticks = Ticks()
    with cache_progress(events.append, "team", Phase.COLLECT, ticks) as tell:
        for _ in walk(range(3072), "records", tell, 3072):
            ticks.wait(1 / 1024)
        ticks.wait(1)
        tell("files removed", 7, 0)
    assert events == [
        Started("team", Phase.COLLECT),
        Wrote("team", "2,048 of 3,072 records"),
        Wrote("team", "3,072 of 3,072 records"),
        Wrote("team", "7 files removed"),
        Finished("team", Phase.COLLECT, "done", 4.0),
    ]


def test_a_walk_that_fails_says_so_in_lines():
    stream, ticks = io.StringIO(), Ticks()

    def fail(report: Reporter) -> None:
        with cache_progress(report, "team", Phase.VERIFY, ticks) as tell:
            ticks.wait(LONG)
            tell("objects", 12_000, 100_000)
            raise OSError(5, "gone")

    with PlainProgress(stream, ticks) as report, pytest.raises(OSError, match="gone"):
        fail(report)
    lines = stream.getvalue().splitlines()
    assert lines[0].split() == ["verify", "team"]
    assert lines[1].split() == ["failed", "2.0", "s", "team"]


def test_how_far_it_is_is_a_line_of_its_own_where_more_is_asked_for():
    stream, ticks = io.StringIO(), Ticks()
    with (
        PlainProgress(stream, ticks, verbose=True) as report,
        cache_progress(report, "team", Phase.VERIFY, ticks) as tell,
    ):
        ticks.wait(LONG)
        tell("objects", 12_000, 100_000)
    assert "team | 12,000 of 100,000 objects\n" in stream.getvalue()
