"""Runs a step in a process that is killed at a chosen call; run as a program.

``python killed_runs.py FOLDER NUMBER…`` forks a process for each number, which runs a step
and is killed by SIGKILL when it makes its N-th call into C (system calls are among them).
This process adopts what is left, and prints the numbers at which something did not end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import Bench

_SET_SUBREAPER = 36
_SECONDS = 20  # in which all must be gone


class _SurvivedError(Exception):
    pass


def killed(number: int, folder: Path) -> None:
    """Run the step, and die at a call; in the main thread, which makes all of them."""
    left = number

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal left
        if event == "c_call":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 1)
    bench = Bench.at(folder)
    sys.setprofile(count)
    bench.sh("echo go; sleep 600", accelerators={"tmp/go-cache": str(folder / "cache/go")})


def survived(_: int, __: FrameType | None) -> None:
    raise _SurvivedError


def all_gone() -> bool:
    """Wait for each child, and for each that its death leaves to us."""
    signal.alarm(_SECONDS)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return True
    except _SurvivedError:
        return False
    finally:
        signal.alarm(0)


def end_children() -> None:
    """So that the next number begins afresh."""
    with open(f"/proc/self/task/{threading.get_native_id()}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    for _ in children:
        os.waitpid(-1, 0)


def main() -> None:
    ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, survived)
    for number in map(int, sys.argv[2:]):
        folder = Path(sys.argv[1], str(number))
        folder.mkdir()
        if os.fork() == 0:
            killed(number, folder)
            os._exit(0)
        if not all_gone():
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            end_children()


if __name__ == "__main__":
    main()
