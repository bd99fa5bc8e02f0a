"""Rounds of a benchmark: several ways to do one thing, which take turns.

Knows: seconds and ratios. Must not know: what is measured.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define, frozen


@frozen
class Way:
    """Something to measure.

    Attributes:
        name: For people.
        run: Does it; it gets the path of a folder that is not there yet, for what it makes.
    """

    name: str
    run: Callable[[Path], object]

    def times(self, folder: Path) -> Times:
        """What it takes, once earlier writes are on the disk and the machine is idle."""
        os.sync()
        wait_until_idle()
        used, began = _used(), time.perf_counter()
        self.run(folder)
        return Times(time.perf_counter() - began, _used() - used)


@frozen
class Times:
    """Seconds: elapsed, and of processors (this process', and those of children that ended)."""

    elapsed: float
    used: float


def wait_until_idle(most: float = 5.0) -> None:
    """Wait for a moment in which nine tenths of all processors have nothing to do."""
    end, before = time.monotonic() + most, _ticks()
    while time.monotonic() < end:
        time.sleep(0.25)
        now = _ticks()
        if now[0] - before[0] >= 0.9 * (now[1] - before[1]):
            return
        before = now


def _ticks() -> tuple[int, int]:
    """How long processors were idle since the start, and in all."""
    _, *ticks = Path("/proc/stat").read_text().partition("\n")[0].split()
    times = list(map(int, ticks))
    return times[3] + times[4], sum(times)


def _used() -> float:
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


@define
class Rounds:
    """Times of several ways, by name and round."""

    times: dict[str, list[Times]]

    @classmethod
    def of(cls, ways: Sequence[Way], count: int, base: Path) -> Rounds:
        """Let the ways take turns at beginning, after a round that warms all up.

        Args:
            ways: What to measure.
            count: How often.
            base: A folder to make, in which each of them gets a new one each time.
        """
        rounds = cls({way.name: [] for way in ways})
        base.mkdir()
        for number in range(count + 1):
            begin = number % len(ways)
            for way in (*ways[begin:], *ways[:begin]):
                times = way.times(base / f"{way.name.replace(' ', '-')}-{number}")
                if number:
                    rounds.times[way.name].append(times)
            empty(base)
        return rounds

    def show(self, title: str, others: Sequence[str]) -> None:
        """Print a line for each way, with its ratios to ``others`` unless it is one of them."""
        load = " ".join(f"{each:.1f}" for each in os.getloadavg())
        print(f"{title}: medians of {len(next(iter(self.times.values())))}, load {load}")
        for name, times in self.times.items():
            elapsed = statistics.median(each.elapsed for each in times)
            used = statistics.median(each.used for each in times)
            against = [] if name in others else [each for each in others if each in self.times]
            ratios = "".join(f"  {self.ratio(name, each):5.2f} x {each}" for each in against)
            print(f"  {name:16} {elapsed:6.2f} s (cpu {used:5.2f}){ratios}")
        sys.stdout.flush()

    def ratio(self, one: str, other: str) -> float:
        """The median of the ratios of all rounds."""
        pairs = zip(self.times[one], self.times[other], strict=True)
        return statistics.median(mine.elapsed / theirs.elapsed for mine, theirs in pairs)


def empty(folder: Path) -> None:
    """Give back the space of all files below a folder, and leave the files there.

    ext4 passes over the inodes of files that were removed in the last minutes, one by one: after
    tens of thousands of them, making a file takes ten times as long.
    """
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    files = (Path(above, name) for above, _, names in os.walk(folder) for name in names)
    for file in files:
        if file.is_file() and not file.is_symlink():
            os.truncate(file, 0)
