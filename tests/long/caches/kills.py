"""Kill the real `push`, `pull` and `caches gc`; then see that no record lacks what it names.

A trial runs two of these commands, beside each other and each in a process of its own, over one
cache that stays from trial to trial, and kills some with SIGKILL: before the N-th call that changes
a file, or after a random time. Another process looks at all records and their packs again and
again. Then time goes by for leases and objects, and

* no record names what is not there, at any moment,
* `caches gc`, `push`, `push --check`, and a `pull` into the store of who was killed succeed,
* what was pulled is what was built, and that store is whole,
* `caches verify` finds nothing.

``--http``: pushes and pulls go through nginx, which has PUT and MOVE.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "campaigns"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

from cache_watch import Watch, age_leases, problems
from campaign import Options, hold, main, reap
from judge import contents
from program import TRAP, Program, read_modules
from small import TARGETS, SmallWorld
from web_caches import nginx

TARGET = TARGETS[0]
STATES = {"built": 1, "garbage": 2}
"""Each is a version of the target."""

HOURS = 3 * 3600.0
_LONGEST = 1.5
"""Seconds after which a kill comes at the latest."""
_CALLS = 45
"""Few commands here have more calls that change a file."""


class Kills:
    """A team of two machines with one cache, and a project that both have."""

    def __init__(self, folder: Path, options: Options) -> None:
        read_modules()
        self.folder, self.http = folder, options.more.http
        self.cache = folder / "served/team"
        self.cache.mkdir(parents=True)
        self.world = SmallWorld(folder, tuple(STATES))
        self.doing = ""
        self.key = self._share_keys()

    def trials(self) -> int:
        """A hundred, as issue 13 has it."""
        return 100

    def trial(self, rng: random.Random, _number: int) -> None:
        """Kill, and look."""
        state = rng.choice(list(STATES))
        self.world.restore(state)
        watch = Watch(self.cache)
        watch.begin()
        try:
            with self._address() as address:
                program = self._program(address)
                self._disturb(rng, program)
                self._time_goes_by()
                self._converges(program, STATES[state])
        finally:
            _, wrong = watch.end()
        wrong += problems(self.cache)
        hold(not wrong, "a record without its objects", *wrong[:3])
        reap()

    def _disturb(self, rng: random.Random, program: Program) -> None:
        """Two commands beside each other; one is killed, the other perhaps."""
        commands = [("push", TARGET), ("pull", TARGET), ("caches", "gc", "team", "--max-size", "0")]
        chosen = rng.sample([*commands, commands[0]], 2)
        kills = [rng.choice(["call", "time"]), rng.choice(["call", "time", "not"])]
        running = [
            self._start(rng, program, words, how) for words, how in zip(chosen, kills, strict=True)
        ]
        ends = [self._end(process, due) for process, due in running]
        names = [
            _name(words)
            for words, code in zip(chosen, ends, strict=True)
            if code == -signal.SIGKILL
        ]
        who = f"{' and '.join(sorted(names)) or 'nobody'} killed"
        self.doing = f"{who}: {list(map(_name, chosen))}, {kills}, {ends}"
        for words, how, code in zip(chosen, kills, ends, strict=True):
            right = {0, 4} | ({-signal.SIGKILL} if how != "not" else set())
            hold(code in right, _name(words), f"exit code {code}")

    def _start(
        self, rng: random.Random, program: Program, words: tuple[str, ...], how: str
    ) -> tuple[subprocess.Popen[bytes], float]:
        start = ["-m", "rvbuild"]
        if how == "call":
            start = [str(TRAP), "kill", str(rng.randint(1, _CALLS)), str(self.folder)]
        process = subprocess.Popen(
            [sys.executable, *start, *words, *(self.world.options if words[0] != "caches" else ())],
            cwd=program.folder,
            env=self._environment(program, words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        seconds = rng.uniform(0, _LONGEST) if how == "time" else 120.0
        return process, time.monotonic() + seconds

    @staticmethod
    def _end(process: subprocess.Popen[bytes], due: float) -> int:
        try:
            process.wait(max(0.0, due - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait()

    def _converges(self, program: Program, version: int) -> None:
        """All of it succeeds now."""
        options = self.world.options
        self._at(program, "caches").run("caches", "gc", "team", "--max-size", "0").fine()
        program.run("push", TARGET, *options).fine()
        program.run("push", TARGET, "--check", *options).fine()
        reader = self._at(program, "pull")
        reader.run("pull", TARGET, *options, "-o", str(self.world.work / "pulled")).fine()
        found = contents(self.world.work / "pulled" / TARGET)
        hold(found == self.world.contents[version][TARGET], "another result", found)
        reader.run("store", "verify").fine()
        self._at(program, "caches").run("caches", "verify", "team").fine()

    def _time_goes_by(self) -> None:
        """Let leases end, and let no object be too young to be collected."""
        age_leases(self.cache, HOURS)
        for path in (self.cache / "objects").rglob("*"):
            there = path.stat()
            os.utime(path, (there.st_atime, there.st_mtime - HOURS))

    # ---- the two machines

    def _share_keys(self) -> str:
        """Make the builder's key, and let each state of the project trust it; the private one."""
        self.world.restore("built")
        line = self.world.program.run("keys", "new", "ci").fine().out
        (file,) = (self.world.work / "home").rglob("ci.key")
        for state in STATES:
            keys = self.world.states / state / "project/cache/keys"
            keys.mkdir(parents=True)
            (keys / "ci.pub").write_text(line)
        return file.read_text()

    def _program(self, address: str) -> Program:
        """The program of who pushes."""
        environment = {
            **self.world.program.environment,
            "RVBUILD_SIGNING_KEY": self.key,
            "RVBUILD_CACHES": f"team=read+write {address}",
            "RVBUILD_SHARE_ACCELERATED": "1",
            "RVBUILD_STALL_BUDGET": "60",
        }
        return evolve(self.world.program, environment=environment)

    def _at(self, program: Program, command: str) -> Program:
        return evolve(program, environment=self._environment(program, (command,)))

    def _environment(self, program: Program, words: tuple[str, ...]) -> Mapping[str, str]:
        """Who pulls has a store of its own; who collects is where the folder is."""
        more = {
            "pull": {"RVBUILD_STORE": str(self.world.work / "reader")},
            "caches": {"RVBUILD_CACHES": f"team=read+write {self.cache}"},
        }
        return {**program.environment, **more.get(words[0], {})}

    @contextmanager
    def _address(self) -> Iterator[str]:
        """Where the cache is for who pushes."""
        if not self.http:
            yield str(self.cache)
            return
        shutil.rmtree(self.folder / "nginx", ignore_errors=True)
        with nginx(self.folder, "PUT DELETE MOVE") as server:
            yield f"{server}/team"


def _name(words: tuple[str, ...]) -> str:
    return "gc" if words[0] == "caches" else words[0]


def more(parser: argparse.ArgumentParser) -> None:
    """What only this campaign takes."""
    parser.add_argument("--http", action="store_true", help="push and pull through nginx")


if __name__ == "__main__":
    sys.exit(main("cache-kills", __doc__, Kills, 100, more))
