"""Watching a sandbox: its log, its time, its processes, what it writes.

Knows: when to stop a step. Must not know: what the step is for.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from attrs import frozen

from rvbuild.core.errors import RvbuildError
from rvbuild.executors.limits import Limits
from rvbuild.executors.sandbox import CHUNK, Sandbox
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.usage import Usage

TIMED_OUT = 124  # as timeout(1) has it
OVER_LIMIT = 128 + signal.SIGXFSZ
_COUNT_EVERY = 0.05  # seconds between two counts of the processes; one takes about 50 µs
_LOOK_FOR = 0.001  # seconds at each count, for what the step wrote: 2 % of a processor
_LOOK_HARD = 0.1  # the same, when the disk says that it may be too much
_LACKS = {"bytes": "the disk of the store was almost full",
          "inodes": "the disk of the store had hardly room for another file"}  # fmt: skip


@frozen
class Ended:
    """How a step ended; ``started`` is False if its command never ran.

    ``limit`` is which limit it went over, in words, if it was stopped for that.
    """

    exit_code: int
    started: bool
    limit: str = ""


class Watch:
    """Passes on what a sandbox writes, and stops it when it goes over a limit.

    Args:
        sandbox: What is watched.
        log: Takes its output.
        limits: What it may use, besides ``seconds``.
        seconds: How long it may run.
        folder: Where all is that it may write to.
        wanted: Raises, if nobody wants its result any more.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one has a default
        self,
        sandbox: Sandbox,
        log: StepLog,
        limits: Limits,
        seconds: float,
        folder: str,
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self._sandbox = sandbox
        self._log = log
        self._limits = limits
        self._usage = Usage(folder)
        self._wanted = wanted
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._stopped: int | None = None
        self._why = ""

    def follow(self) -> Ended:
        """Return when the process, and all that it started, is gone.

        Raises:
            Interrupted: nobody wants its result any more.
        """
        try:
            exit_code, started = self._ended()
        finally:
            self._usage.close()
        if exit_code == 0 and self._stopped is None:
            self._measure()
        if self._stopped is not None:
            return Ended(self._stopped, True, self._why)
        if self._sandbox.failure:
            self._log.note(self._sandbox.failure)
        return Ended(exit_code, started)

    def _ended(self) -> tuple[int, bool]:
        try:
            self._drain()
            return self._sandbox.wait()
        except BaseException as error:
            try:
                self._sandbox.kill()
                self._sandbox.wait()
            except RvbuildError as other:
                error.add_note(str(other))
            raise

    def _measure(self) -> None:
        """Look at all that it left; for the step's time limit once more."""
        until = time.monotonic() + self._seconds
        for _ in self._usage.whole():
            self._wanted()
            self._check_disk()
            if time.monotonic() > until:
                self._stop(TIMED_OUT, f"what it left took {self._seconds:,.0f} s to look at")
            if self._stopped is not None:
                return
        self._check_disk()

    def _drain(self) -> None:
        sandbox = self._sandbox
        poll = select.poll()
        open_ = {sandbox.output, sandbox.status}
        for descriptor in open_:
            poll.register(descriptor, select.POLLIN)
        count_at = time.monotonic() + _COUNT_EVERY
        while open_:
            for descriptor, _ in poll.poll(self._wait_for(count_at)):
                if chunk := os.read(descriptor, CHUNK):
                    self._take(descriptor, chunk)
                else:
                    poll.unregister(descriptor)
                    open_.discard(descriptor)
            if self._stopped is None and (now := time.monotonic()) >= min(count_at, self._deadline):
                self._check(now)
                count_at = now + _COUNT_EVERY

    def _wait_for(self, count_at: float) -> float | None:
        """Milliseconds; None once it was killed: the ends of both files are near."""
        if self._stopped is not None:
            return None
        return max(0.0, min(count_at, self._deadline) - time.monotonic()) * 1000

    def _take(self, descriptor: int, chunk: bytes) -> None:
        if descriptor == self._sandbox.status:
            self._sandbox.hear(chunk)
        elif self._stopped is None and not self._log.feed(chunk):
            self._stop(OVER_LIMIT, f"its log went over {self._limits.log_bytes:,} bytes")

    def _check(self, now: float) -> None:
        if now >= self._deadline:
            self._stop(TIMED_OUT, f"not done after {self._seconds:,.0f} s")
        elif self._sandbox.processes() > self._limits.processes:
            self._stop(OVER_LIMIT, f"it had more than {self._limits.processes:,} processes")
        else:
            self._look()
            self._check_disk()

    def _look(self) -> None:
        """At leisure, until the disk has lost so much that the step may hold too much."""
        limits = self._limits
        if self._usage.may_hold(limits.disk_bytes, limits.disk_entries):
            self._usage.advance(_LOOK_HARD, everywhere=True)
        else:
            self._usage.advance(_LOOK_FOR)

    def _check_disk(self) -> None:
        limits, usage = self._limits, self._usage
        if usage.bytes > limits.disk_bytes:
            self._stop(OVER_LIMIT, f"it wrote more than {limits.disk_bytes:,} bytes")
        elif usage.entries > limits.disk_entries:
            self._stop(OVER_LIMIT, f"it made more than {limits.disk_entries:,} files")
        elif lack := usage.lack():
            self._stop(OVER_LIMIT, _LACKS[lack])

    def _stop(self, exit_code: int, why: str) -> None:
        self._stopped, self._why = exit_code, why
        self._sandbox.kill()
        self._log.note(f"stopped the step: {why}")
