"""A small program of system calls, as a file in memory, and what it says when it fails.

Knows: files in memory, the words for a call that failed. Must not know: what the calls are for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Self

from attrs import frozen

from rvbuild.core.errors import SandboxError
from rvbuild.executors.machine_code import Call, Report, program

_EXECUTABLE = 0x10  # MFD_EXEC


@frozen
class Program:
    """Makes ``calls``, then becomes the command that its arguments name."""

    calls: tuple[Call, ...]
    content: bytes

    @classmethod
    def of(cls, calls: Sequence[Call], report: int) -> Self:
        """The one for this machine, which says on the descriptor ``report`` that it failed.

        Raises:
            SandboxError: none can be made for this machine.
        """
        return cls(tuple(calls), program(calls, report, os.uname().machine))

    def file(self) -> int:
        """A descriptor of it, whose ``/proc/self/fd`` name can be executed.

        Raises:
            SandboxError: the kernel gives none.
        """
        try:
            descriptor = _memory_file()
        except OSError as error:
            msg = f"the kernel gives no file in memory for a program: {error.strerror}"
            raise SandboxError(msg, hint="sysctl vm.memfd_noexec must be below 2") from error
        os.write(descriptor, self.content)
        os.fchmod(descriptor, 0o555)
        return descriptor

    def was_passed(self, report: Report) -> bool:
        """Whether it was the command that could not be started."""
        return report.call == len(self.calls)

    def explain(self, report: Report, command: str) -> str:
        """What failed, in words; ``command`` is what was to be started."""
        why = os.strerror(report.error)
        if self.was_passed(report):
            return f"{command} could not be started: {why}"
        call = self.calls[report.call]
        texts = (one for one in call.arguments if isinstance(one, bytes))
        path = next((one for one in texts if one.startswith(b"/")), b"-\0")
        return f"{call.name} {os.fsdecode(path[:-1])} was refused in the sandbox: {why}"


def _memory_file() -> int:
    try:
        return os.memfd_create("step", os.MFD_CLOEXEC | _EXECUTABLE)
    except OSError as error:
        if error.errno != errno.EINVAL:  # before Linux 6.3 there is no such flag, nor need
            raise
        return os.memfd_create("step", os.MFD_CLOEXEC)
