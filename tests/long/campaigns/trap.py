"""Stops a program at its N-th call that changes a file.

Knows: the audit events of Python, by which nothing of the program is replaced. Must not
know: the program.

Run: ``python trap.py ACT AT FOLDER WORD...`` is ``python -m rvbuild WORD...`` with ACT at
call AT: ``kill`` (SIGKILL), ``group`` (SIGKILL to its process group), ``spawn`` (SIGKILL
at call AT of what Python does in C from the start of a sandbox on), an error's name
(``EIO``: the call fails with it, and reading calls count, too), ``count`` (nothing) or
``READ`` (nothing, and reading calls count, too). At the end descriptor 3 gets the number
of calls.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import sys
from collections.abc import Callable

CHANGING = frozenset({
    "fcntl.flock", "fcntl.ioctl", "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove",
    "os.rename", "os.rmdir", "os.symlink", "os.truncate", "os.utime", "subprocess.Popen",
})  # fmt: skip
READING = frozenset({"os.listdir", "os.scandir"})
REPORT = 3


class Trap:
    """An audit hook: counts calls that change ``folder``, and acts at the one numbered ``at``.

    A path that is not absolute may be below a descriptor of the folder, and counts.
    """

    def __init__(self, act: Callable[[str], None], at: int, folder: str, *, reads: bool) -> None:
        self.seen = 0
        self._act = act
        self._at = at
        self._folder = folder
        self._reads = reads
        self._pid = os.getpid()

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._counts(event, arguments) or os.getpid() != self._pid:
            return
        self.seen += 1
        if self.seen == self._at:
            self._act(f"{self._at} {event} {self._short(arguments)}")

    def _short(self, arguments: tuple[object, ...]) -> str:
        return str(arguments[0]).replace(self._folder, "")[-60:]

    def _counts(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            return bool(writes or self._reads) and self._ours(arguments[0])
        return (event in CHANGING or (self._reads and event in READING)) and (
            event == "subprocess.Popen" or self._ours(arguments[0])
        )

    def _ours(self, path: object) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        return not isinstance(path, str) or path[:1] != "/" or path.startswith(self._folder)


class AfterSpawn:
    """Waits for the first start of a sandbox, then counts what its thread calls in C."""

    def __init__(self, act: Callable[[str], None], at: int) -> None:
        self.seen = 0
        self._act = act
        self._at = at

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and "git" not in str(arguments[0]):
            sys.setprofile(self._called)

    def _called(self, _frame: object, event: str, called: object) -> None:
        if event in {"c_call", "c_return"}:
            self.seen += 1
            if self.seen == self._at:
                self._act(f"{self._at} {event} {getattr(called, '__name__', called)}")


def killer(*, group: bool) -> Callable[[str], None]:
    """End this process at once, or its whole group."""

    def act(where: str) -> None:
        os.write(2, f"\nkilled at {where}\n".encode())
        (os.killpg if group else os.kill)(os.getpid(), signal.SIGKILL)

    return act


def failure(name: str) -> Callable[[str], None]:
    """Let the call fail."""
    number = getattr(errno, name)

    def act(where: str) -> None:
        os.write(2, f"\n{name} at {where}\n".encode())
        raise OSError(number, os.strerror(number))

    return act


def hook_for(act: str, at: int, folder: str) -> Trap | AfterSpawn:
    """The hook that the command line asks for."""
    if act in {"count", "READ"}:
        return Trap(str, 0, folder, reads=act == "READ")
    if act == "spawn":
        return AfterSpawn(killer(group=False), at)
    if act in {"kill", "group"}:
        return Trap(killer(group=act == "group"), at, folder, reads=False)
    return Trap(failure(act), at, folder, reads=True)


def main() -> None:
    """Run the program in the trap."""
    act, at, folder, *words = sys.argv[1:]
    hook = hook_for(act, int(at), folder)
    sys.path[0] = ""
    sys.argv = ["rvbuild", *words]
    sys.addaudithook(hook)
    try:
        runpy.run_module("rvbuild", run_name="__main__", alter_sys=True)
    finally:
        try:
            os.write(REPORT, b"%d\n" % hook.seen)
        except OSError:
            sys.stderr.write("")


if __name__ == "__main__":
    main()
