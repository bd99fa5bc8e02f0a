"""Cut the power at a random call; then see that what was registered is there and whole.

Needs root and loop devices. A trial mounts a copy of an image with a small store in some
state (ext4 or XFS), lets one command succeed, starts another, and shuts the file system
down before its N-th call that changes a file: FS_IOC_SHUTDOWN drops what was not synced,
with the journal written first (flag 1) or not (flag 2). Mounted again,

* every registered object is what its name says, and has all that it names,
* every result that was registered before is registered, and the store needs no repair,
* the same command succeeds, and a build makes what it makes without a cut.

Trial K is of the file system and flag K modulo 4.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from campaign import Options, hold, main, one_processor, reap
from judge import bad_objects
from program import Ran, read_modules
from small import PINNED, TARGETS, VERSION, SmallWorld
from trap import Trap

SHUTDOWN = 0x8004587D
WAYS = tuple((system, flag) for system in ("ext4", "xfs") for flag in (1, 2))
_MAKE = {
    "ext4": (64, ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0"]),
    "xfs": (300, ["mkfs.xfs", "-q", "-f"]),
}
"""MiB, of which few are written, and how the file system is made."""

_JOBS = ("-j", "1")
CASES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("locked", (), ("fetch", *TARGETS)),
    ("locked", ("fetch", *PINNED), ("build", *TARGETS, *_JOBS)),
    ("locked", ("build", *PINNED), ("build", *TARGETS, *_JOBS)),
    ("fetched", ("build", TARGETS[1]), ("build", *TARGETS, *_JOBS)),
    ("fetched", (), ("build", *TARGETS, *_JOBS)),
    ("edited", ("build", *PINNED), ("build", *TARGETS, *_JOBS)),
    ("garbage", (), ("gc", "--keep", "0")),
    ("damaged", (), ("store", "repair")),
)
"""State, what succeeds before the cut, and what is cut."""

_NO_MIRROR = {"gc", "store"}


class PowerCuts:
    """An image of each file system for each state, and the mount at which trials work."""

    def __init__(self, folder: Path, options: Options) -> None:
        one_processor()
        own_mounts()
        read_modules()
        self._ways = [way for way in WAYS if way[0] in options.more.systems]
        self.world = SmallWorld(folder)
        self.doing = ""
        self._folder = folder
        self._calls: dict[int, int] = {}
        for system in options.more.systems:
            for state in {case[0] for case in CASES}:
                self._image(system, state)

    def trials(self) -> int:
        """Five hundred for each way, as the bar has it."""
        return 2000

    def trial(self, rng: random.Random, number: int) -> None:
        """Cut one command, and look."""
        system, flag = self._ways[number % len(self._ways)]
        case = rng.randrange(len(CASES))
        state, first, words = CASES[case]
        self.doing = f"{system} flag {flag}: {' '.join(words[:2])}, {state}"
        at = rng.randint(1, self._total(case))
        image = self._folder / f"image-{number}"  # the kernel may hold the last one for a while
        subprocess.run(
            ["cp", "--sparse=always", self._folder / f"{system}-{state}", image], check=True
        )
        with self._mounted(image):
            kept = self._cut(first, words, at, flag)
        with self._mounted(image):
            self._judge(state, words, kept)
        image.unlink()

    def _cut(self, first: tuple[str, ...], words: tuple[str, ...], at: int, flag: int) -> set[str]:
        """What was registered when the power went."""
        if first:
            self._run(first).fine()
        kept = set() if words[0] in _NO_MIRROR else self._registered()
        ran = self._run(words, lambda: self._trap(switch(self.world.work, flag), at))
        reap()
        lines = ran.err.splitlines()
        self.doing += ", " + next((x for x in lines if "cut at" in x), "cut at the end")
        if ran.code == 0:  # it made fewer calls than when they were counted: threads
            kept |= self._registered() if words[0] not in _NO_MIRROR else set()
            with opened(self.world.work) as top:
                turn_off(top, flag)
        else:
            hold(ran.code == -signal.SIGKILL, "the power did not go", ran)
        return kept

    def _judge(self, state: str, words: tuple[str, ...], kept: set[str]) -> None:
        world, version = self.world, VERSION.get(state, 1)
        if state == "damaged":
            world.nothing_destroyed()
        else:
            hold(not (bad := bad_objects(world.store)), "after the cut", bad)
            hold(not (lost := kept - self._registered()), "registered before the cut", lost)
            world.results_hold(1, 2)
        self._run(words).fine()
        world.converges(version)
        world.tidy()
        hold(not (bad := bad_objects(world.store)), "after building again", bad)
        world.results_hold(version)
        reap()

    def _run(self, words: tuple[str, ...], hook: Callable[[], Trap] | None = None) -> Ran:
        more = () if words[0] in _NO_MIRROR else self.world.options
        return self.world.program.run(*words, *more, hook=hook)

    def _trap(self, act: Callable[[str], None], at: int) -> Trap:
        return Trap(act, at, str(self.world.work), reads=False)

    def _registered(self) -> set[str]:
        tops = (self.world.store, self.world.store / "accelerated")
        return {str(file) for top in tops for file in (top / "realisations").glob("*/*")}

    def _total(self, case: int) -> int:
        """How many calls the command has when nothing happens."""
        if case not in self._calls:
            state, first, words = CASES[case]
            self.world.restore(state)
            if first:
                self._run(first).fine()
            ran = self._run(words, lambda: self._trap(str, 0)).fine()
            self._calls[case] = int(ran.report)
            shutil.rmtree(self.world.work)
            self.world.work.mkdir()
        return self._calls[case]

    def _image(self, system: str, state: str) -> None:
        image = self._folder / f"{system}-{state}"
        size, command = _MAKE[system]
        with image.open("wb") as file:
            file.truncate(size << 20)
        subprocess.run([*command, image], check=True)
        shutil.rmtree(self.world.work, ignore_errors=True)
        self.world.work.mkdir()
        with self._mounted(image):
            source = f"{self.world.states / state}/."
            subprocess.run(["cp", "-a", source, self.world.work], check=True)

    @contextmanager
    def _mounted(self, image: Path) -> Iterator[None]:
        subprocess.run(["mount", "-o", "loop", image, self.world.work], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", self.world.work], check=True)


def own_mounts() -> None:
    """Mount where no other worker's sandbox takes part: it would keep a file system alive."""
    new_mounts = 0x00020000  # CLONE_NEWNS
    if ctypes.CDLL(None, use_errno=True).unshare(new_mounts) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def turn_off(top: int, flag: int) -> None:
    """Shut down the file system of an open folder."""
    fcntl.ioctl(top, SHUTDOWN, struct.pack("I", flag))


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def switch(folder: Path, flag: int) -> Callable[[str], None]:
    """Turns the power off: shuts the file system down, and ends this process."""
    top = os.open(folder, os.O_RDONLY)  # closed with this process

    def act(where: str) -> None:
        os.write(2, f"\ncut at {where}\n".encode())
        turn_off(top, flag)
        os.kill(os.getpid(), signal.SIGKILL)

    return act


def systems(parser: argparse.ArgumentParser) -> None:
    """The option that only this campaign has."""
    parser.add_argument(
        "--systems", nargs="+", choices=("ext4", "xfs"), default=["ext4", "xfs"], metavar="NAME"
    )


if __name__ == "__main__":
    sys.exit(main("power", __doc__, PowerCuts, 2000, systems))
