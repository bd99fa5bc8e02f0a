"""Kill the program with SIGKILL at a random call; then see that nothing is lost or wrong.

A trial begins with a small store in some state, starts a command as people start it, and
kills it: before its N-th call that changes a file, among the calls that start a sandbox,
or while a step runs; the process alone, or its group. Then

* no process is left, in a sandbox or outside,
* every registered object is what its name says, and has all that it names,
* every result that was linked or copied is whole,
* the same command succeeds, and a build makes what it makes without a kill,
* after ``gc``, ``tmp/`` is empty and all of the above holds,
* what was damaged before a repair is kept.

Replay: command, state and number of the call follow from the seed. ``-j 1`` and one
processor for a trial keep threads in one order; where the kernel orders two of them
differently, the call with that number may be the other's.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

from campaign import Options, hold, main, one_processor, reap
from judge import bad_objects
from program import Ran, read_modules
from small import HERE, PINNED, TARGETS, VERSION, SmallWorld

_JOBS = ("-j", "1")
_BUILD = ("build", *TARGETS, *_JOBS)
CASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unlocked", ("lock",)),
    ("locked", ("fetch", *TARGETS)),
    ("locked", _BUILD),
    ("fetched", _BUILD),
    ("fetched", (*_BUILD, "-o", "../out")),
    ("fetched", ("build", *PINNED, "--release", *_JOBS)),
    ("built", ("check", *TARGETS, *_JOBS)),
    ("built", (*_BUILD, "-o", "../out")),
    ("built", ("store", "verify")),
    ("edited", ("lock",)),
    ("edited", _BUILD),
    ("edited", (*_BUILD, "-o", "../out")),
    ("garbage", ("gc",)),
    ("garbage", ("gc", "--keep", "0")),
    ("damaged", ("store", "repair")),
)
"""State and command. Those without a network or targets take no ``--mirror``."""

_MINE = re.compile(r"(?<=tmp/)[0-9a-f]{24}|(?<=\.)\d+$")
"""Names that the program makes up: each run has others."""

_FROM_AFAR = {"lock", "fetch", "build", "check"}
_SLOW = f"slow-{HERE}"
_CALLS_OF_A_START = 250
"""So many calls from the start of bwrap on are between nothing and a step that runs."""


class Kills:
    """One small world, and how many calls each case has."""

    def __init__(self, folder: Path, _options: Options) -> None:
        one_processor()
        read_modules()
        self.world = SmallWorld(folder)
        self.doing = ""
        self._calls: dict[int, int] = {}

    def trials(self) -> int:
        """A thousand, as the bar has it."""
        return 1000

    def trial(self, rng: random.Random, _number: int) -> None:
        """Kill one command, and look."""
        kind = rng.choices(("call", "start", "step"), (80, 12, 8))[0]
        case = rng.randrange(len(CASES))
        if kind != "call":
            case = rng.choice([4, 5]) if kind == "start" else 3
        state, words = CASES[case]
        self.doing = f"{words[1] if words[0] == 'store' else words[0]}: {state}, "
        total = self._total(case)
        self.world.restore(state)
        ran = self._killed(kind, rng, words, total)
        self.doing += self._where(ran)
        hold(ran.code == -9, "it was not killed", ran)
        self._judge(state, words)

    def _killed(self, kind: str, rng: random.Random, words: tuple[str, ...], total: int) -> Ran:
        program, folder = self.world.program, self.world.work
        if kind == "step":
            return program.execute("build", "-v", _SLOW, until="ready to be killed")
        if kind == "start":
            at, words = rng.randint(1, _CALLS_OF_A_START), ("build", *_JOBS, *TARGETS)
            return program.trapped("spawn", at, folder, *words, *self.world.options)
        act = rng.choice(("kill", "group"))
        return program.trapped(act, rng.randint(1, total), folder, *self._whole(words))

    def _whole(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return (*words, *self.world.options) if words[0] in _FROM_AFAR else words

    def _total(self, case: int) -> int:
        """How many calls the command has when nobody kills it."""
        if case not in self._calls:
            state, words = CASES[case]
            self.world.restore(state)
            ran = self.world.program.trapped("count", 0, self.world.work, *self._whole(words))
            self._calls[case] = int(ran.fine().report)
        return self._calls[case]

    @staticmethod
    def _where(ran: Ran) -> str:
        lines = [line for line in ran.err.splitlines() if line.startswith("killed at")]
        return _MINE.sub("*", lines[-1]) if lines else "killed while a step ran"

    def _judge(self, state: str, words: tuple[str, ...]) -> None:
        world, version = self.world, VERSION.get(state, 1)
        reap()
        if state == "damaged":
            world.nothing_destroyed()
        else:
            hold(not (bad := bad_objects(world.store)), "after the kill", bad)
            self._whole_results(state)
        world.program.run(*self._whole(words)).fine()
        world.converges(version)
        world.tidy()
        hold(not (bad := bad_objects(world.store)), "after gc", bad)
        world.results_hold(version)
        world.verified()
        reap()

    def _whole_results(self, state: str) -> None:
        if state in {"built", "edited", "garbage"}:
            self.world.results_hold(1, 2)
            links = set(self.world.links())
            hold({*TARGETS, *PINNED} <= links, "a result's link is gone", links)


if __name__ == "__main__":
    sys.exit(main("kills", __doc__, Kills, 1000))
