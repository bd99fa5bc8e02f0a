"""Let one system call fail; then see that the program did not say that all is well.

Each of CALLS fails with each of ERRORS at each N, in each of CASES: ``strace`` injects the
error at the N-th such call of each of the program's threads. ``--count`` takes so many of
these points, in an order that follows from the seed; 0 takes all. Then

* the exit is a typed error, or success; where the disk could not take what was to be made
  durable (fsync, fdatasync, syncfs), it is an error. (Where a pipe or the terminal failed,
  which no disk makes happen, only what follows is asked.)
* every registered object is what its name says, and has all that it names,
* every result that was linked or copied is whole, and after success all are there,
* the same command succeeds, and a build makes what it makes without a fault.

``--inside-python`` needs no strace: an audit hook fails calls of Python that open, list,
make, move, link and remove, each N of the whole process.

No thread makes as many calls as all do: a point that no thread reached is not counted as
tried. The order of points is that of a hash of the seed and the point, so a call more or
less moves no other far.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from attrs import frozen
from campaign import Options, hold, main, one_processor, reap
from judge import bad_objects, sha256
from program import Ran, read_modules
from small import PINNED, TARGETS, VERSION, SmallWorld
from trap import AfterSpawn, Trap, hook_for

ERRORS = ("EIO", "ENOSPC", "EMFILE", "EINTR")
SYNCS = frozenset({"fsync", "fdatasync", "syncfs"})
CALLS = (
    "write", "pwrite64", "writev", "copy_file_range", "sendfile", "ftruncate", *sorted(SYNCS),
    "rename", "renameat", "renameat2",
)  # fmt: skip
_SET_PTRACER = 0x59616D61
CASES = (
    ("unlocked", ("lock",)),
    ("locked", ("fetch", *TARGETS)),
    ("fetched", ("build", *TARGETS, "-j", "1")),
    ("fetched", ("build", *PINNED, "-o", "../out")),
    ("edited", ("build", *TARGETS, "-j", "1")),
    ("garbage", ("gc", "--keep", "0")),
    ("damaged", ("store", "repair")),
)
_NO_MIRROR = {"gc", "store"}


@frozen
class Point:
    """The ``at``-th ``call`` fails with ``error`` in a case."""

    case: int
    call: str
    error: str
    at: int


class FailingCalls:
    """One small world, and every point at which a call can fail."""

    def __init__(self, folder: Path, options: Options) -> None:
        one_processor()
        read_modules()
        self.world = SmallWorld(folder)
        self.doing = ""
        self._trace = folder / "trace"
        self._python = options.more.inside_python
        self._points = [point for case in range(len(CASES)) for point in self._points_of(case)]
        self._points.sort(key=lambda point: sha256(f"{options.seed} {point}".encode()))

    def trials(self) -> int:
        """Every point."""
        return len(self._points)

    def trial(self, _rng: random.Random, number: int) -> None:
        """Fail one call, and look."""
        point = self._points[number % len(self._points)]
        state, words = CASES[point.case]
        self.doing = f"{point.error}: {point.call} {point.at} of {' '.join(words[:2])}, {state}"
        self.world.restore(state)
        ran = self._failed(point, self._whole(words))
        reap()
        if not self._python and not self._hits():
            self.doing = ""
            return
        self._judge_exit(point, ran)
        self._judge_store(state, words, ran)

    def _judge_exit(self, point: Point, ran: Ran) -> None:
        hits = [] if self._python else self._hits()
        if all(f"<{self.world.work}" in hit for hit in hits):
            hold(ran.code == 0 or ran.typed, "neither success nor a typed error", ran)
        if point.call in SYNCS and point.error != "EINTR" and hits:
            hold(ran.code != 0, "what was not made durable is called a success", ran)

    def _judge_store(self, state: str, words: tuple[str, ...], ran: Ran) -> None:
        world, version = self.world, VERSION.get(state, 1)
        if state == "damaged":
            world.nothing_destroyed()
        if state != "damaged" or ran.code == 0:
            hold(not (bad := bad_objects(world.store)), "after the fault", bad, ran)
        if state != "damaged":
            world.results_hold(1, 2)
        if ran.code == 0 and words[0] == "build":
            world.results_hold(version)
            places = world.out if "-o" in words else world.project / "result"
            hold(words[1] in os.listdir(places), "a success without a result", ran)
        world.program.run(*self._whole(words)).fine()
        world.converges(version)
        world.tidy()
        hold(not (bad := bad_objects(world.store)), "after building again", bad)
        world.results_hold(version)
        reap()

    # ---- how a call fails

    def _failed(self, point: Point, words: tuple[str, ...]) -> Ran:
        program = self.world.program
        if self._python:
            return program.run(*words, hook=lambda: self._hook(point.error, point.at))
        fault = f"inject={point.call}:error={point.error}:when={point.at}"
        return program.run(*words, hook=lambda: self._traced(point.call, "-e", fault))

    def _traced(self, calls: str, *more: str) -> Trap:
        """Have strace attached to this process; what it started is in no trace."""
        options = [
            "-f",
            "-b",
            "execve",
            "-qq",
            "-y",
            "-o",
            str(self._trace),
            "-e",
            f"trace={calls}",
        ]
        attach(["strace", *options, *more])
        return Trap(str, 0, str(self.world.work), reads=False)

    def _hits(self) -> list[str]:
        """The calls that failed, each with the file that it was for."""
        lines = self._trace.read_text(errors="replace").splitlines()
        return [line for line in lines if "(INJECTED)" in line]

    def _whole(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return words if words[0] in _NO_MIRROR else (*words, *self.world.options)

    def _points_of(self, case: int) -> list[Point]:
        """Every call of the case that can fail, with each error."""
        state, words = CASES[case]
        self.world.restore(state)
        words = self._whole(words)
        if self._python:
            ran = self.world.program.run(*words, hook=lambda: self._hook("READ", 0)).fine()
            counts = {"a call of Python": int(ran.report)}
        else:
            self.world.program.run(*words, hook=lambda: self._traced(",".join(CALLS))).fine()
            counts = self._counted()
        return [
            Point(case, call, error, at)
            for call, count in counts.items()
            for error in ERRORS
            for at in range(1, count + 1)
        ]

    def _counted(self) -> dict[str, int]:
        """The number of each call in all threads together, rounded up: it varies a little."""
        text = self._trace.read_text(errors="replace")
        found = Counter(re.findall(r"^\d+ +([a-z0-9_]+)\(", text, re.MULTILINE))
        return {call: number + -number % 4 for call, number in found.items()}

    def _hook(self, act: str, at: int) -> Trap | AfterSpawn:
        return hook_for(act, at, str(self.world.work))


def attach(tracer: list[str]) -> None:
    """Start a tracer of this process, as nobody's child, and wait until it is there."""
    me = os.getpid()
    ctypes.CDLL(None, use_errno=True).prctl(_SET_PTRACER, -1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(4):
                os.dup2(nothing, number)
            os.execvp(tracer[0], [*tracer, "-p", str(me)])  # noqa: S606
        os._exit(0)
    os.waitpid(child, 0)
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.001)


def inside_python(parser: argparse.ArgumentParser) -> None:
    """The option that only this campaign has."""
    parser.add_argument("--inside-python", action="store_true", help="without strace")


if __name__ == "__main__":
    sys.exit(main("io-errors", __doc__, FailingCalls, 0, inside_python))
