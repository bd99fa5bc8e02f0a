"""Kills pushes, pulls and collections of one cache in a folder; then sees that nothing is wrong.

Run: ``python cache_kills.py FOLDER [--seed N] [--count M] [--only K] [--http] [--twin NAME]``, with
the project's root and this folder on PYTHONPATH. ``--http``: all but collections go through nginx.

A trial runs a push or two, a pull and a collection beside each other, each in a process of its own,
and kills some of them with SIGKILL: after a random time, or before a call that changes a file. A
process beside them looks at all records and their packs again and again. Then

* no record names what is not there, at any moment,
* after the time in which leases end, the next collection, push and pull complete, and what was
  pulled is what was pushed,
* the store into which a killed pull wrote is whole.

A twin is a push with a fault, which this must see.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen
from cache_places import services
from cache_watch import Watch, age_leases, problems
from team import Ticks, member, push, substitutes, terms
from web_caches import nginx
from workshop import FakeExecutor, Workshop

from rvbuild.caches.collect import Collector
from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.lease import VOID, Lease
from rvbuild.caches.names import LEASES
from rvbuild.caches.table import open_cache
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheBusy
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.engine.build import Built
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import verify

VERSIONS = 4
BUSY = 3
PATIENCE = 120.0
_CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.utime"}


# ---- what is killed


@frozen
class Version:
    """A version of the target ``app`` that was built."""

    shop: Workshop
    built: Built
    app: Step


def versions(folder: Path) -> list[Version]:
    """Versions that share some of their packs, and of which each has some of its own."""
    made = []
    for at in range(VERSIONS):
        shop = Workshop(str(folder / f"built-{at}"))
        below = [shop.step(f"below-{n}", f"large {n * (at % 2)}") for n in range(2)]
        app = shop.step("app", f"large {at}", *below)
        made.append(Version(shop, shop.build(app), app))
    return made


@frozen
class RecordsFirst(CacheDecorator):
    """The twin of a cache for who pushes: objects appear once the next record is there."""

    late: list[tuple[Digest, bytes]] = field(factory=list)

    def write(self, item: Digest, data: BinaryIO) -> None:
        self.late.append((item, data.read()))

    def write_record(self, name: str, data: bytes) -> None:
        self.inner.write_record(name, data)
        while self.late and name.startswith("records/"):
            item, content = self.late.pop()
            self.inner.write(item, io.BytesIO(content))


@frozen
class NoLeases(CacheDecorator):
    """The twin of a cache for who pushes: it neither writes leases nor sees those of others."""

    def record(self, name: str) -> bytes | None:
        return None if name.startswith(LEASES) else self.inner.record(name)

    def write_record(self, name: str, data: bytes) -> None:
        if not name.startswith(LEASES):
            self.inner.write_record(name, data)


def as_it_is(cache: CollectableCache) -> CollectableCache:
    return cache


TWINS: Mapping[str, Callable[[CollectableCache], CollectableCache]] = {
    "": as_it_is,
    "records-first": RecordsFirst,
    "no-leases": NoLeases,
}


@frozen(kw_only=True)
class Place:
    """The cache in ``folder``, as each process opens it anew; ``address`` is where it pushes."""

    folder: Path
    address: str
    versions: list[Version]
    twin: str = ""

    @contextmanager
    def _opened(self, address: str) -> Iterator[CollectableCache]:
        with services(wait=lambda: PATIENCE) as given:
            yield open_cache(address, given)

    def push(self, version: Version) -> None:
        with self._opened(self.address) as cache:
            mine = TWINS[self.twin](cache)
            push(version.shop, version.built, mine, version.app, lease=_lease(mine, "ci"))

    def pull(self, version: Version, into: Path) -> None:
        """Take a version, or make what is lost; it is what was built, and the store is whole."""
        shop = Workshop(str(into / "trees"))
        shop.store = LocalStore(str(into / "store"), durable=False)  # type: ignore[assignment]
        shop.executor = FakeExecutor(shop.store)
        for each in version.shop.known.values():
            shop.add(each)
        with self._opened(self.address) as cache:
            substitutes(shop, [member(cache, Ticks())], terms("ci"), version.app)
            built = shop.build(version.app)
        built.refuse_failures()
        output = built.realised[version.app.digest].output
        assert output == version.built.realised[version.app.digest].output
        findings: list[object] = []
        verify(shop.store, findings.append)  # type: ignore[arg-type]
        assert findings == []

    def collect(self, most: int | None) -> None:
        """Collect as if the last push were long ago."""
        with self._opened(str(self.folder)) as cache:
            Collector(cache, _lease(cache, "gc"), "team", most, grace=-1).run()


def _lease(cache: CollectableCache, owner: str) -> Lease:
    return Lease(cache, "team", time.time, owner)


# ---- processes


@frozen
class Kill:
    """When a process dies: ``seconds`` after it began, or before its changing call ``call``."""

    seconds: float = PATIENCE
    call: int = 0


@define
class Process:
    """A copy of this process that does something, and may be killed in the middle."""

    what: str
    work: Callable[[], None]
    kill: Kill = field(factory=Kill)
    pid: int = field(default=0, init=False)
    handle: int = field(default=-1, init=False)
    due: float = field(default=0.0, init=False)

    def begin(self) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            self._do()
        self.handle = os.pidfd_open(self.pid)
        self.due = time.monotonic() + self.kill.seconds

    def _do(self) -> None:
        code = 70
        try:
            if self.kill.call:
                sys.addaudithook(Points(self.kill.call))
            self.work()
            code = 0
        except CacheBusy:
            code = BUSY
        except BaseException:  # noqa: BLE001 - the parent is told
            traceback.print_exc()
        finally:
            os._exit(code)

    @property
    def may_be_killed(self) -> bool:
        return self.kill != Kill()

    def end(self) -> int:
        """Its exit code, or the signal that ended it, below zero."""
        if not select.select([self.handle], [], [], max(0.0, self.due - time.monotonic()))[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Points:
    """An audit hook: SIGKILL before the changing call with a number."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _CHANGING or (event == "open" and _writes(arguments[2])):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _writes(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


# ---- trials


class FaultError(Exception):
    """Something that must hold does not."""


def hold(condition: object, *what: object) -> None:
    if not condition:
        raise FaultError(": ".join(map(str, what)))


@define
class Trials:
    """Trials on one cache, which stays from one to the next."""

    place: Place
    folder: Path
    seconds: float = 0.0
    calls: int = 0
    ends: Counter[str] = field(factory=Counter)
    looks: int = 0

    def prepare(self) -> None:
        """See how long a push takes, and how many calls it has."""
        began = time.monotonic()
        self._fine("push", lambda: self.place.push(self.place.versions[0]))
        self.seconds = time.monotonic() - began
        self.calls = 1
        while self._run("push", self._push(1), Kill(call=self.calls)) < 0:
            self.calls += 10
            age_leases(self.place.folder, VOID * 3)

    def trial(self, rng: random.Random) -> None:
        """Kill, and look.

        Raises:
            FaultError: something is wrong.
        """
        watch = Watch(self.place.folder)
        watch.begin()
        try:
            self._disturb(rng)
            age_leases(self.place.folder, VOID * 3)
            self._fine("gc", lambda: self.place.collect(rng.choice([None, 0])))
            version = rng.choice(self.place.versions)
            self._fine("push", lambda: self.place.push(version))
            self._fine("pull", lambda: self.place.pull(version, self.folder / "pulled"))
        finally:
            looks, wrong = watch.end()
        self.looks += looks
        wrong += problems(self.place.folder)
        hold(not wrong, "a record without its objects", *wrong[:3])

    def _disturb(self, rng: random.Random) -> None:
        """Several processes beside each other, of which some are killed."""
        shutil.rmtree(self.folder / "pulled", ignore_errors=True)
        most = rng.choice([None, 0])
        processes = [
            Process("push", self._push(rng.randrange(VERSIONS)), self._kill(rng)),
            Process("push", self._push(rng.randrange(VERSIONS)), self._kill(rng)),
            Process("pull", self._pull(rng.randrange(VERSIONS)), self._kill(rng)),
            Process("gc", lambda: self.place.collect(most), self._kill(rng)),
        ]
        rng.shuffle(processes)
        for process in processes:
            process.begin()
        for process in sorted(processes, key=lambda each: each.due):
            code = process.end()
            killed = code == -signal.SIGKILL and process.may_be_killed
            self.ends[f"{process.what} {'killed' if killed else 'busy' if code else 'done'}"] += 1
            hold(killed or code in {0, BUSY}, process.what, f"exit code {code}")

    def _push(self, number: int) -> Callable[[], None]:
        return lambda: self.place.push(self.place.versions[number])

    def _pull(self, number: int) -> Callable[[], None]:
        return lambda: self.place.pull(self.place.versions[number], self.folder / "pulled")

    def _kill(self, rng: random.Random) -> Kill:
        how = rng.choice(["seconds", "call", "not"])
        if how == "seconds":
            return Kill(seconds=rng.uniform(0, self.seconds))
        return Kill(call=rng.randint(1, self.calls)) if how == "call" else Kill()

    def _fine(self, what: str, work: Callable[[], None]) -> None:
        code = self._run(what, work, Kill())
        hold(code == 0, f"a {what} afterwards", f"exit code {code}")

    def _run(self, what: str, work: Callable[[], None], kill: Kill) -> int:
        process = Process(what, work, kill)
        process.begin()
        return process.end()


@contextmanager
def place(folder: Path, *, http: bool, twin: str) -> Iterator[Place]:
    """The cache; for HTTP in the folder that nginx serves."""
    cache = folder / "served/team"
    cache.mkdir(parents=True)
    built = versions(folder)
    if not http:
        yield Place(folder=cache, address=str(cache), versions=built, twin=twin)
        return
    with nginx(folder, "PUT DELETE MOVE") as server:
        yield Place(folder=cache, address=f"{server}/team", versions=built, twin=twin)


def run(trials: Trials, seed: str, numbers: Iterable[int]) -> int:
    """Do trials until one fails; the exit code."""
    trials.prepare()
    count = 0
    for number in numbers:
        try:
            trials.trial(random.Random(f"{seed}/{number}"))  # noqa: S311 - no secret
        except FaultError as fault:
            sys.stdout.write(f"FAILED {number}: {fault}\n  again: --seed {seed} --only {number}\n")
            return 1
        count += 1
    ends = ", ".join(f"{many} {what}" for what, many in sorted(trials.ends.items()))
    kills = sum(many for what, many in trials.ends.items() if "killed" in what)
    sys.stdout.write(f"seed {seed}: {count} trials, {kills} kills ({ends}); ")
    sys.stdout.write(f"{trials.looks} records were looked at\n")
    return 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("folder", type=Path)
    add("--seed", default=str(random.SystemRandom().randrange(10**6)))
    add("--count", type=int, default=100)
    add("--only", type=int)
    add("--http", action="store_true")
    add("--twin", choices=TWINS, default="")
    words = parser.parse_args()
    numbers = range(words.count) if words.only is None else [words.only]
    with place(words.folder, http=words.http, twin=words.twin) as where:
        return run(Trials(where, words.folder), words.seed, numbers)


if __name__ == "__main__":
    sys.exit(main())
