"""This rvbuild against another one, by their command lines: what a change costs.

    python benchmarks/against.py [--rounds N] [--folder DIR] [--target NAME] OLD NEW [WHAT…]

OLD and NEW are two `rvbuild` programs, each in a virtual environment of its own. WHAT is any of

steps    200 trivial steps of one build
tree     a source of 20,000 files into the store (`fetch` of a local archive)
output   a step's output of 20,000 files into the store
noop     a build with nothing to do
show     `show --json` of the shipped k3s-riscv64
plan     the plan of the same, with nothing in the store
target   TARGET (runc-riscv64) with --release, its sources in the store and no result

Each program has a store and a project of its own below DIR, which should be on a file system that
nobody else writes to. The two take turns, and every turn has new derivations, so that nothing is
kept. Printed: the medians, and the median of the paired ratios NEW / OLD.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import random
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STEPS, FILES, MEAN = 200, 20_000, 5_600
NOOP_RUNS = 20
ARCH = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}[platform.machine()]
RECIPE = """summary: {name}
license: MIT
homepage: https://example.invalid
version: "{turn}"
{more}build: |
  {script}
outputs:
  it: {{path: out.txt, kind: file}}
"""


class Program:
    """One of the two, with its project and its store."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path, self.folder = os.path.abspath(path), folder
        folder.mkdir(parents=True)
        (folder / "rvbuild.lock").touch()
        self.run("base-toolbox")

    def run(self, *words: str) -> float:
        """Wall seconds of a run that goes well."""
        os.sync()
        began = time.perf_counter()
        subprocess.run(
            [self.path, *words], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return time.perf_counter() - began

    def recipe(self, name: str, turn: int, script: str, more: str = "") -> None:
        """Write a recipe whose derivation is another one each turn."""
        folder = self.folder / "recipes" / name
        folder.mkdir(parents=True, exist_ok=True)
        text = RECIPE.format(name=name, turn=turn, script=script, more=more)
        (folder / "recipe.yaml").write_text(text)

    # ---- what is measured

    def steps(self, turn: int) -> float:
        """Many trivial steps."""
        names = [f"step-{number}" for number in range(STEPS)]
        for name in names:
            self.recipe(name, turn, f'echo {name} {turn} > "$out/out.txt"')
        return self.run("-q", *(f"{name}-{ARCH}" for name in names))

    def tree(self, turn: int) -> float:
        """A source of many files; not the lock, which reads the archive too."""
        self._archive(turn)
        return self.run("-q", "fetch", f"many-{ARCH}", *self._mirror())

    def output(self, turn: int) -> float:
        """A step that copies many files; its source has been fetched."""
        self._archive(turn)
        self.run("-q", "fetch", f"many-{ARCH}", *self._mirror())
        return self.run("-q", f"many-{ARCH}", *self._mirror())

    def noop(self, turn: int) -> float:
        """One of several runs with nothing to do."""
        if turn == 0:
            self.recipe("noop", turn, 'echo > "$out/out.txt"')
            time.sleep(0.1)  # a memo is only of recipes that are older than the clock's tick
            for _ in range(2):
                self.run(f"noop-{ARCH}")
        return statistics.median(self.run(f"noop-{ARCH}") for _ in range(NOOP_RUNS))

    def show(self, _turn: int) -> float:
        """What K3s is made of."""
        return self.run("show", "k3s-riscv64", "--json")

    def plan(self, _turn: int) -> float:
        """What K3s needs; nothing of it is there."""
        return self.run("plan", "k3s-riscv64")

    def _mirror(self) -> tuple[str, str]:
        return "--mirror", f"http://example.invalid/={self.folder}/"

    def _archive(self, turn: int) -> None:
        rng = random.Random(turn)  # noqa: S311 - a benchmark's input, not a secret
        pool = rng.randbytes(1 << 22)
        with tarfile.open(self.folder / f"many-{turn}.tar", "w") as archive:
            for number in range(FILES):
                size = min(int(rng.expovariate(1 / MEAN)), len(pool) // 2)
                start = rng.randrange(len(pool) - size)
                data = number.to_bytes(4, "big") + pool[start : start + size]
                entry = tarfile.TarInfo(f"top/m{number // 900}/d{number // 90}/file-{number}.go")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        url = f"http://example.invalid/many-{turn}.tar"
        more = f"sources: {{it: {{url: '{url}'}}}}\n"
        self.recipe("many", turn, 'cp -r /src/it "$out/it"; echo > "$out/out.txt"', more)
        self.run("-q", "lock", "many", *self._mirror())


def compare(what: str, old: Callable[[int], float], new: Callable[[int], float], n: int) -> None:
    """Let the two take turns, and print a line."""
    pairs = []
    for turn in range(n):
        first, second = (old, new) if turn % 2 == 0 else (new, old)
        one, other = first(turn), second(turn)
        pairs.append((one, other) if first is old else (other, one))
    medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{what:8} old {medians[0]:8.3f} s  new {medians[1]:8.3f} s  {ratio:5.2f} x", flush=True)


def cold(program: Program, target: str, options: list[str]) -> Callable[[int], float]:
    """Builds a target from sources that are in the store; the results of a turn are removed."""
    store = program.folder / "sources"
    program.run("-q", "fetch", target, "--store", str(store), *options)

    def once(turn: int) -> float:
        here = program.folder / f"store-{turn}"
        subprocess.run(["cp", "-a", store, here], check=True)
        try:
            return program.run(
                "-q", "build", target, "--release", "--offline", "--store", str(here), *options
            )
        finally:
            shutil.rmtree(here)

    return once


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")
    parser.add_argument("what", nargs="*", metavar="WHAT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--target", default="runc-riscv64")
    parser.add_argument("--mirror", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        old = Program(arguments.old, Path(name) / "old")
        new = Program(arguments.new, Path(name) / "new")
        for what in arguments.what or ["steps", "tree", "output", "noop", "show", "plan", "target"]:
            if what == "target":
                options = [word for each in arguments.mirror for word in ("--mirror", each)]
                one, other = (cold(each, arguments.target, options) for each in (old, new))
                compare(what, one, other, 1)
            else:
                compare(what, getattr(old, what), getattr(new, what), arguments.rounds)


if __name__ == "__main__":
    main()
