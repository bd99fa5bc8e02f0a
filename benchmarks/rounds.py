"""Rounds of a benchmark: several ways to do one thing, which take turns.

Knows: seconds and ratios. Must not know: what is measured.
"""

from __future__ import annotations

import os
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

    def seconds(self, folder: Path) -> float:
        """Elapsed, after all earlier writes have settled."""
        os.sync()
        began = time.perf_counter()
        self.run(folder)
        return time.perf_counter() - began


@define
class Rounds:
    """Seconds of several ways, by name and round."""

    seconds: dict[str, list[float]]

    @classmethod
    def of(cls, ways: Sequence[Way], count: int, base: Path) -> Rounds:
        """Let the ways take turns at beginning, after a round that warms all up.

        Args:
            ways: What to measure.
            count: How often.
            base: A folder, in which each of them gets a new one each time.
        """
        rounds = cls({way.name: [] for way in ways})
        base.mkdir()
        for number in range(count + 1):
            begin = number % len(ways)
            for way in (*ways[begin:], *ways[:begin]):
                seconds = way.seconds(base / f"{way.name.replace(' ', '-')}-{number}")
                if number:
                    rounds.seconds[way.name].append(seconds)
            empty(base)
        return rounds

    def show(self, title: str, others: Sequence[str]) -> None:
        """Print a line for each way, with its ratios to ``others`` unless it is one of them."""
        load = " ".join(f"{each:.1f}" for each in os.getloadavg())
        print(f"{title}: medians of {len(next(iter(self.seconds.values())))}, load {load}")
        for name, times in self.seconds.items():
            against = [] if name in others else [each for each in others if each in self.seconds]
            ratios = "".join(f"  {self.ratio(name, each):5.2f} x {each}" for each in against)
            print(f"  {name:16} {statistics.median(times):6.2f} s{ratios}")
        sys.stdout.flush()

    def ratio(self, one: str, other: str) -> float:
        """The median of the ratios of all rounds."""
        pairs = zip(self.seconds[one], self.seconds[other], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


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
