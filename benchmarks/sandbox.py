"""What sealing costs: trivial actions by the local executor, by bare bwrap, by plain spawn.

``python benchmarks/sandbox.py [ACTIONS [FOLDER]]``. The three take turns, so that a noisy machine
is noisy for all of them; figures are medians, and the ratio is what counts (aim: 1.6).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests/e2e")]
from sandboxes import Bench  # noqa: E402 - a script finds its neighbours by itself

from rvbuild.executors import bwrap, step_folder  # noqa: E402
from rvbuild.executors.inputs import InputTrees  # noqa: E402
from rvbuild.executors.local_executor import room  # noqa: E402

COMMAND = ("/bin/true",)


def plain() -> None:
    """No sandbox at all."""
    os.waitpid(os.posix_spawn(COMMAND[0], COMMAND, {}), 0)


def main() -> None:
    """Let the three take turns."""
    actions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        bench = Bench.at(Path(name))
        action = bench.action(COMMAND)
        trees = InputTrees.of(action.mounts, bench.store.mountable.path)
        folder = step_folder.make(name).path
        options = room(action, folder, evolve(trees, are_laid=True), {}).arguments()
        argv = [bwrap.find(), *options, "--", *COMMAND]

        def bare() -> None:
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)

        def sealed() -> None:
            outcome = bench.executor.run(action, "step", print, {})
            assert outcome.exit_code == 0  # noqa: S101 - or the figure would mean nothing

        report({"plain": plain, "bare": bare, "sealed": sealed}, actions)


def report(ways: dict[str, Callable[[], None]], actions: int) -> None:
    """Run and print."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(actions):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - began)
    middle = {name: statistics.median(one) * 1000 for name, one in took.items()}
    for name, value in middle.items():
        least = min(took[name]) * 1000
        print(f"{name:8} {value:6.2f} ms  (least {least:.2f})  {value / middle['bare']:.2f} x bare")


if __name__ == "__main__":
    main()
