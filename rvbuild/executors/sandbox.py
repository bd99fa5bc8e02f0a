"""One sealed process: started, killed whole, waited for.

Knows: bwrap's pipes and the handle on what runs inside. Must not know: logs, actions.

bwrap reads its options from a file in memory, so no host path shows in its command line. What it
made waits at a second pipe, the gate, until there is a handle on the first process of the
new pid namespace: that handle kills everything inside at once, and tells when the last of
it is gone.

The gate is the system call filter: bwrap reads it last, and its length must be a multiple
of 8. All but its last byte is there from the start. If rvbuild dies before it adds that
byte, the end of the pipe comes too early, and bwrap ends without having started anything.

bwrap does not start the command but the threshold (``rvbuild.executors.threshold``). Its
standard input is the pipe on which it says that it failed; the command gets an empty one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
from collections.abc import Sequence

from attrs import frozen

from rvbuild.core.errors import SandboxError, StepError
from rvbuild.executors.bwrap_errors import refused
from rvbuild.executors.keeper import Keeper, Request
from rvbuild.executors.machine_code import FAILED, Report
from rvbuild.executors.threshold import Threshold

CHUNK = 1 << 16


class Pipes:
    """Descriptors of one sandbox; whatever is still open is closed in the end."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._open

    def add(self, descriptor: int) -> int:
        self._open.add(descriptor)
        return descriptor

    def pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        return self.add(reader), self.add(writer)

    def close(self, *descriptors: int) -> None:
        for one in descriptors or tuple(self._open):
            if one in self._open:
                self._open.discard(one)
                os.close(one)


@frozen(kw_only=True)
class Launch:
    """What to start, with bwrap's ``options`` and the ``seal`` (its filter).

    ``threshold`` is the program that becomes the command.
    """

    request: Request
    options: Sequence[str]
    seal: bytes
    threshold: Threshold


class Sandbox:
    """A sealed process, started by making this.

    Raises:
        SandboxError: bwrap could not be started, or could not make the namespaces.
        StepError: the command is longer than the kernel takes.
    """

    def __init__(self, keeper: Keeper, launch: Launch) -> None:
        self._pipes = Pipes()
        self._lock = threading.Lock()
        self._pid = 0  # of the first process inside, as seen from here
        self._first = -1  # the handle on it (a pidfd)
        self._said = b""  # what bwrap told of the sandbox: lines of JSON
        self._porter = launch.request.porter
        self._threshold, self._command = launch.threshold, launch.request.command[0]
        self.failure = ""  # after ``wait``: why there was no command to run
        try:
            self._start(keeper, launch)
        except BaseException:
            self._pipes.close()
            raise

    def _start(self, keeper: Keeper, launch: Launch) -> None:
        if any("\0" in word for word in (*launch.options, *launch.request.command)):
            msg = "a variable or argument of the step holds a NUL, which no process can be given"
            raise StepError(msg, hint="look at `env` and the pins of the recipe")
        pipe = self._pipes.pipe
        (self.output, output), (self.status, status) = pipe(), pipe()
        (seal, to_seal), (self._report, report) = pipe(), pipe()
        passed = [output, report, status, self._memory(launch.options), seal]
        porter = launch.request.porter
        passed += [self._pipes.add(one.file()) for one in (launch.threshold, porter) if one]
        os.write(to_seal, launch.seal[:-1])
        self._process = keeper.start(launch.request, passed)
        self._pipes.close(*passed)
        try:
            self._meet_first_process()
            _write_all(to_seal, launch.seal[-1:])
        except BaseException:
            self._abandon()
            raise
        self._pipes.close(to_seal)

    def _memory(self, options: Sequence[str]) -> int:
        """A file of them, as bwrap reads it."""
        file = self._pipes.add(os.memfd_create("options"))
        _write_all(file, b"".join(os.fsencode(one) + b"\0" for one in options))
        os.lseek(file, 0, os.SEEK_SET)
        return file

    def _meet_first_process(self) -> None:
        while b"\n" not in self._said and (chunk := os.read(self.status, CHUNK)):
            self._said += chunk
        line, newline, rest = self._said.partition(b"\n")
        if not newline:
            self._process.wait()
            raise refused(self._porters_words() or _last_words(self.output))
        self._said = rest
        self._pid = json.loads(line)["child-pid"]
        try:
            self._first = self._pipes.add(os.pidfd_open(self._pid))
        except ProcessLookupError as error:  # it failed to set itself up, and is gone
            self._process.wait()
            raise refused(_last_words(self.output)) from error
        except OSError as error:
            os.kill(self._pid, signal.SIGKILL)  # still the child of bwrap: the number is its own
            msg = f"there is no handle on its first process: {error}"
            raise refused(msg) from error

    def _abandon(self) -> None:
        """Kill what was made before the gate opened."""
        with contextlib.suppress(SandboxError):
            if self._first < 0:
                self._meet_first_process()
        self.kill()
        self._process.kill()
        self._process.wait()

    def hear(self, chunk: bytes) -> None:
        """Take what was read from ``status``."""
        self._said += chunk

    def kill(self) -> None:
        """Kill everything inside at once; from any thread, at any time, more than once."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._first in self._pipes:
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def processes(self) -> int:
        """How many processes are inside; 0 if there are none (yet, or any more).

        Raises:
            SandboxError: this process may not count them.
        """
        return processes_of(self._pid)

    def wait(self) -> tuple[int, bool]:
        """Wait until nothing is left inside: (exit code, whether the command was started).

        Death by a signal is 128 + its number, as shells have it. To be called once;
        ``kill`` does nothing afterwards.
        """
        bwrap = self._process.wait()
        self.kill()  # a daemon that outlived the command
        if self._first in self._pipes:
            poll = select.poll()
            poll.register(self._first, select.POLLIN)
            poll.poll()
        report = self._read_report()
        with self._lock:
            self._pipes.close()
        if report:
            self.failure = self._threshold.explain(report, self._command)
            return FAILED, self._threshold.was_passed(report)
        for line in self._said.splitlines():
            if "exit-code" in (told := json.loads(line)):
                return int(told["exit-code"]), True
        return (128 - bwrap, True) if bwrap < 0 else (bwrap, False)

    def _porters_words(self) -> str:
        report, porter = self._read_report(), self._porter
        return porter.explain(report, "bubblewrap") if report and porter else ""

    def _read_report(self) -> Report | None:
        data = os.read(self._report, Report.SIZE) if self._report in self._pipes else b""
        return Report.read(data) if data else None


def processes_of(first: int) -> int:
    """How many processes are in the pid namespace of ``first``, by its own ``/proc``.

    0 if ``first`` is gone, or has no ``/proc`` yet, or if too little of something (descriptors)
    hinders this count: the next one tells.

    Raises:
        SandboxError: this process may not look. Then no count ever tells, and nothing would
            hold the step to its limit.
    """
    proc = f"/proc/{first}/root/proc"
    try:
        if os.stat(proc).st_dev == os.stat("/proc").st_dev:
            return 0
        return sum(name.isdecimal() for name in os.listdir(proc))
    except PermissionError as error:
        msg = f"the processes of the step cannot be counted: {proc}: {error.strerror}"
        hint = "let rvbuild trace its own processes (a security module or container forbids it)"
        raise SandboxError(msg, hint=hint) from error
    except OSError:
        return 0


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except BrokenPipeError:
        return  # bwrap has ended; its last words say why


def _last_words(output: int) -> str:
    words = b""
    while chunk := os.read(output, CHUNK):
        words += chunk
    return words.decode(errors="replace").strip()
