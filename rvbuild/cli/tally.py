"""Where a run stands, gathered from its events.

Knows: what each event means for the counts. Must not know: how anything is shown.
Events come from any thread, thousands a second: each only changes a few fields under a lock.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping

from attrs import define, evolve, field, frozen

from rvbuild.cli.audit_notes import unknown_files
from rvbuild.cli.messages import duration_text, size_text
from rvbuild.core.events import (
    Audited,
    Event,
    Finished,
    Phase,
    Planned,
    Progressed,
    Started,
    Wrote,
)

_WINDOW = 8.0
"""Seconds over which the rate of fetching is taken."""
_SAMPLE = 1.0
"""Seconds between two samples: a rate that changes faster cannot be read."""
_UNDONE = frozenset(("failed", "stopped", "lost"))
"""What a task came to that is not done."""
_ENOUGH = 8
"""Fetches that must be finished before their mean size says something about the others."""


@define
class Running:
    """Work that is under way; ``since`` is the clock's time, ``line`` the last of its log."""

    label: str
    phase: Phase
    since: float
    done: int = 0
    total: int = 0
    line: str = ""


@frozen(kw_only=True)
class Summary:
    """What a run did.

    Attributes:
        counts: By word: ``pulled``, ``built``, ``checked``, ``fetched``, ``merged``, ``reused``,
            ``failed``.
        kept: How many results needed nothing.
        size: Bytes that were fetched.
        seconds: How long the run took.
        unknown: How many files do not say which instructions they need, by step.
    """

    counts: Mapping[str, int]
    kept: int
    size: int
    seconds: float
    unknown: Mapping[str, int] = field(factory=dict)

    @property
    def text(self) -> str:
        """``built 6, fetched 512 (769 MiB), kept 12 in 9 min 12 s``; empty if nothing was."""
        words = ("pulled", "built", "checked", "fetched", "reused", "failed")
        parts = [f"{word} {self.counts[word]}" for word in words if self.counts.get(word)]
        if self.size:
            parts = [
                f"{part} ({size_text(self.size)})" if part.startswith("fetched") else part
                for part in parts
            ]
        if self.kept:
            parts.append(f"kept {self.kept}")
        return f"{', '.join(parts)} in {duration_text(self.seconds)}" if parts else ""


@frozen(kw_only=True)
class Overview:
    """A run at one moment.

    Attributes:
        now: The clock's time.
        elapsed: Seconds since the run began.
        planned: How much work of each phase is known.
        done: How much of it ended, well or not.
        failed: How much failed.
        size: Bytes fetched.
        verb: How they came: ``fetched``, or ``imported`` out of another store.
        rate: Bytes a second, over the last seconds.
        fetch_left: Seconds that the fetches which are left may take, or None if too little
            is known. It supposes that they are as large as the finished ones on average
            and arrive at the present rate; a large one under way counts by its own.
        fetch_seconds: How long the fetches took, from the first that began to the last that
            ended.
        running: What runs, oldest first.
    """

    now: float
    elapsed: float
    planned: Mapping[Phase, int]
    done: Mapping[Phase, int]
    failed: int
    size: int
    verb: str
    rate: float
    fetch_left: float | None
    fetch_seconds: float
    running: tuple[Running, ...]


@define
class _Rate:
    """Bytes a second over a moving window."""

    samples: deque[tuple[float, int]]
    value: float = 0.0

    def sample(self, now: float, size: int) -> bool:
        """Take a sample if one is due."""
        if now - self.samples[-1][0] < _SAMPLE:
            return False
        self.samples.append((now, size))
        while len(self.samples) > 2 and now - self.samples[0][0] > _WINDOW:
            self.samples.popleft()
        then, earlier = self.samples[0]
        self.value = (size - earlier) / (now - then) if now > then else 0.0
        return True


class Tally:
    """Counts events.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._planned: Counter[Phase] = Counter()
        self._done: Counter[Phase] = Counter()
        self._words: Counter[str] = Counter()
        self._kept = 0
        self._unknown: Counter[str] = Counter()
        self._running: dict[str, Running] = {}
        self._size = 0
        self._verb = "fetched"
        self._rate = _Rate(deque([(self._began, 0)]))
        self._fetch_left: float | None = None
        self._fetch_began: float | None = None
        self._fetch_ended = 0.0
        self._takers: dict[type, Callable[..., None]] = {
            Planned: self._take_planned,
            Started: self._take_started,
            Progressed: self._take_progressed,
            Wrote: self._take_wrote,
            Finished: self._take_finished,
            Audited: self._take_audited,
        }

    def take(self, event: Event) -> None:
        """Count one event; from any thread."""
        taker = self._takers.get(type(event))
        if taker is not None:
            with self._lock:
                taker(event)

    def summary(self) -> Summary:
        """What was done so far."""
        with self._lock:
            return Summary(
                counts=dict(self._words),
                kept=self._kept,
                size=self._size,
                seconds=self._clock() - self._began,
                unknown=dict(self._unknown),
            )

    def view(self) -> Overview:
        """The run as it is now."""
        with self._lock:
            now = self._clock()
            if self._rate.sample(now, self._size):
                self._fetch_left = self._estimate(now)
            return Overview(
                now=now,
                elapsed=now - self._began,
                planned=dict(self._planned),
                done=dict(self._done),
                failed=self._words["failed"],
                size=self._size,
                verb=self._verb,
                rate=self._rate.value,
                fetch_left=self._fetch_left,
                fetch_seconds=self._fetch_ended - (self._fetch_began or 0.0),
                running=tuple(evolve(each) for each in self._running.values()),
            )

    def _take_planned(self, event: Planned) -> None:
        self._planned.update(event.counts)
        self._kept += event.kept

    def _take_started(self, event: Started) -> None:
        now = self._clock()
        self._running[event.label] = Running(event.label, event.phase, now)
        if event.phase is Phase.FETCH and self._fetch_began is None:
            self._fetch_began = now

    def _take_progressed(self, event: Progressed) -> None:
        running = self._running.get(event.label)
        if running is not None:
            again = event.done < running.done  # a second attempt: its bytes travel, too
            self._size += event.done if again else event.done - running.done
            running.done, running.total = event.done, event.total

    def _take_wrote(self, event: Wrote) -> None:
        running = self._running.get(event.label)
        if running is not None:
            running.line = event.line

    def _take_finished(self, event: Finished) -> None:
        running = self._running.pop(event.label, None)
        self._done[event.phase] += event.how not in _UNDONE
        self._words[word_for(event)] += 1
        if event.phase is Phase.FETCH:
            before = running.done if running else 0
            self._size += max(event.size - before, 0)
            self._fetch_ended = self._clock()
            if event.how == "imported":
                self._verb = event.how

    def _take_audited(self, event: Audited) -> None:
        files = unknown_files(event.findings)
        if files:
            self._unknown[event.label] += files

    def _estimate(self, now: float) -> float | None:
        done = self._done[Phase.FETCH]
        left = self._planned[Phase.FETCH] - done
        under_way = [each for each in self._running.values() if each.phase is Phase.FETCH]
        finished_size = self._size - sum(each.done for each in under_way)
        if left <= 0 or done < _ENOUGH or self._rate.value <= 0 or finished_size <= 0:
            return None
        mean = finished_size / done
        missing = sum(max((each.total or mean) - each.done, 0.0) for each in under_way)
        missing += max(left - len(under_way), 0) * mean
        return max([missing / self._rate.value, *(_own_estimate(each, now) for each in under_way)])


def _own_estimate(fetch: Running, now: float) -> float:
    """Seconds that one fetch needs at the pace it had so far; 0 if that is not known."""
    if not 0 < fetch.done < fetch.total:
        return 0.0
    return (fetch.total - fetch.done) * (now - fetch.since) / fetch.done


def word_for(event: Finished) -> str:
    """What became of it: the event's own word, but a check that ran was ``checked``."""
    return "checked" if event.phase is Phase.CHECK and event.how == "built" else event.how
