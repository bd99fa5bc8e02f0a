"""Many processes use one store at once, each with a project of its own.

In each round every process runs one command, chosen by the seed: build (links or copies),
fetch, gc (with and without --keep 0), store verify, store repair. In every tenth round all
of them build one new target together. Then

* a build, a fetch and a verification succeed; gc and repair succeed, or end with "another
  rvbuild is using the store",
* what a process built is whole until it builds again, whatever the others collect,
* of all who build the new target together, one runs its step,
* in the end every registered object is what its name says, and ``gc`` leaves no half thing.

``--count`` is the number of rounds. Replay: who runs what follows from the seed; what the
kernel lets run first does not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from campaign import (
    Options,
    Tally,
    adopt_orphans,
    campaign,
    generator,
    hold,
    parsed,
    reap,
    tell,
)  # fmt: skip
from judge import bad_objects, contents
from program import Ran, read_modules
from small import HERE, PINNED, TARGETS, SmallWorld

IN_USE = "another rvbuild is using the store"
TOGETHER = f"together-{HERE}"
_CHOICES = (
    (30, ("build",)), (10, ("copy",)), (12, ("fetch", *TARGETS)), (10, ("store", "verify")),
    (16, ("gc",)), (14, ("gc", "--keep", "0")), (8, ("store", "repair")),
)  # fmt: skip
_RECIPE = """\
summary: together
license: MIT
homepage: https://example.invalid
version: "1"
build: |
  echo round {number} > "$out/it"
outputs:
  it: {{path: it, kind: file}}
"""


class Member:
    """One process of the crowd: its project, and what its results must be."""

    def __init__(self, world: SmallWorld, number: int) -> None:
        self.world = world
        self.project = world.work / f"project-{number}"
        self.program = evolve(world.program, folder=self.project)
        self.doing = ""
        self.runs = 0
        self._mine: dict[str, object] = {}
        world.copy(world.states / "locked/project", self.project)

    def alone(self, rng: random.Random) -> str:
        """Run one command; what it was and whether it was refused."""
        words = rng.choices([c[1] for c in _CHOICES], [c[0] for c in _CHOICES])[0]
        self.doing = " ".join(words[:2])
        if words[0] in {"build", "copy"}:
            self._build(rng.sample((*TARGETS, *PINNED), rng.randint(1, 3)), words[0])
        else:
            ran = self.program.run(*words, *(self.world.options if words[0] == "fetch" else ()))
            may_wait = words[0] == "gc" or words[-1] == "repair"
            refused = may_wait and ran.code == 1 and IN_USE in ran.err
            hold(ran.code == 0 or refused, "it failed", ran)
            self.doing += " refused" if refused else ""
        self._whole()
        return self.doing

    def _build(self, targets: list[str], how: str) -> None:
        where = ("-o", "out") if how == "copy" else ()
        self.program.run("build", *targets, *where, *self.world.options).fine()
        for target in targets:
            place = self.project / ("out" if where else "result") / target
            self._mine[str(place)] = self.world.contents[1][target]

    def _whole(self) -> None:
        for place, wanted in self._mine.items():
            found = contents(Path(place))
            hold(found == wanted, "a result is not whole", place, found)

    def together(self, number: int) -> bool:
        """Build what all build in this round; whether the step ran here."""
        self.doing = "build together"
        file = self.project / "recipes/together/recipe.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_RECIPE.format(number=number))
        ran = self.program.run("build", TOGETHER, *self.world.options).fine()
        text = (self.project / "result" / TOGETHER / "it").read_text()
        hold(text == f"round {number}\n", "another round's result", text)
        return ran_a_step(ran)


def ran_a_step(ran: Ran) -> bool:
    """Whether the summary of a build says that one was built."""
    return re.search(r"^built 1\b", ran.err, re.MULTILINE) is not None


@frozen
class Meeting:
    """Where the processes meet: a barrier, how many ran a step, and a pipe for what they did."""

    barrier: Any
    ran: Any
    writer: int

    def note(self, number: int, doing: str, fault: str | None) -> None:
        """A line for who counts."""
        line = json.dumps([number, doing, fault and fault[-3000:]])
        os.write(self.writer, line.encode() + b"\n")


def live(member: Member, number: int, options: Options, meeting: Meeting) -> None:
    """The rounds of one process; the first fault ends them, and what all do together."""
    adopt_orphans()
    for at in range(options.count):
        fault = None
        try:
            one_round(member, generator(options.seed, at * 1000 + number), at, meeting)
        except Exception:  # noqa: BLE001 - told to the process that counts
            fault = traceback.format_exc()
            meeting.barrier.abort()
        meeting.note(at * 1000 + number, member.doing, fault)
        if fault:
            return


def one_round(member: Member, rng: random.Random, at: int, meeting: Meeting) -> None:
    """What one process does in one round."""
    if at % 10 != 9:
        member.alone(rng)
        return
    meeting.barrier.wait()
    if member.together(at):
        with meeting.ran.get_lock():
            meeting.ran.value += 1
    meeting.barrier.wait()


def crowd(folder: Path, options: Options) -> Tally:
    """All rounds of all processes; what came of them."""
    adopt_orphans()
    read_modules()
    world = SmallWorld(folder, ("built",))
    world.restore("locked")
    size, reader_and_writer = options.more.processes, os.pipe()
    context = multiprocessing.get_context("fork")
    meeting = Meeting(context.Barrier(size), context.Value("i", 0), reader_and_writer[1])
    for number in range(size):
        if os.fork() == 0:
            os.close(reader_and_writer[0])
            live(Member(world, number), number, options, meeting)
            os._exit(0)
    os.close(meeting.writer)
    kinds, failed = Counter[str](), 0
    with os.fdopen(reader_and_writer[0], encoding="utf-8") as lines:
        for number, doing, fault in map(json.loads, lines):
            kinds[doing] += 1
            failed += fault is not None
            tell(options, number, doing, fault)
    reap()
    failed += _in_the_end(world, meeting.ran.value, options)
    return Tally(sum(kinds.values()), failed, dict(kinds))


def _in_the_end(world: SmallWorld, ran: int, options: Options) -> int:
    """How many things are wrong when all have ended."""
    try:
        hold(ran == options.count // 10, "steps of what was built together", ran)
        hold(not (bad := bad_objects(world.store)), "in the end", bad)
        world.tidy()
        world.verified()
    except Exception:  # noqa: BLE001 - counted
        tell(options, None, "in the end", traceback.format_exc())
        return 1
    return 0


def processes(parser: argparse.ArgumentParser) -> None:
    """The option that only this campaign has."""
    parser.add_argument("--processes", type=int, default=20, help="how many at once (20)")


if __name__ == "__main__":
    given = parsed("crowd", __doc__, 200, processes)
    sys.exit(campaign(given, lambda folder: crowd(folder, given)))
