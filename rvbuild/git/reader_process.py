"""One command of git that reads a repository, sealed, and whose end is not taken for an answer.

Knows: processes, cancellation. Must not know: what is asked, what the answer means.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rvbuild.git.git_stopped import refuse_stopped
from rvbuild.git.process import Git, sealed_environment
from rvbuild.transfers.cancellation import SLICE, Cancellation

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TAIL = 4096


class ReaderProcess:
    """A git that reads one repository. Whoever makes one closes it.

    Rules:

    1. It has a session of its own: ^C in a terminal reaches rvbuild alone, which closes it.
    2. Whoever waits for its output notices a cancellation within a slice of time.
    3. The end of its output is one only if git ended by itself: else reading raises `GitStopped`.

    Attributes:
        output: What it writes; reading raises ``Interrupted`` or ``GitStopped``.
    """

    def __init__(self, git: Git, folder: Path, *arguments: str, is_asked: bool = False) -> None:
        """Start it.

        Args:
            git: The user's, of which only the program counts.
            folder: The repository.
            arguments: The command, and what belongs to it; checked.
            is_asked: Whether it reads questions, see `ask`.
        """
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(  # noqa: S603 - no shell; arguments were checked
            [git.program, "--git-dir", str(folder), *arguments],
            env=sealed_environment(git.environment),
            cwd=folder,
            stdin=subprocess.PIPE if is_asked else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        pipe = _Output(self._process.stdout.fileno(), git.cancellation, self.code)
        self.output: IO[bytes] = io.BufferedReader(pipe)

    def ask(self, lines: bytes) -> bool:
        """Write to its standard input; whether it reads that.

        Raises:
            GitStopped: it was killed.
        """
        assert self._process.stdin is not None  # noqa: S101 - who asks has said so before
        try:
            self._process.stdin.write(lines)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.code()
            return False
        return True

    def code(self) -> int:
        """Its exit code, after the end of its output.

        Raises:
            GitStopped: it was killed, or lacked what it needs.
        """
        code = self._process.wait()
        self._messages.seek(max(0, self._messages.seek(0, os.SEEK_END) - _TAIL))
        refuse_stopped(code, self._messages.read().decode(errors="replace"))
        return code

    def close(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout, self._messages):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


class _Output(io.RawIOBase):
    """A pipe that is read in slices of time."""

    def __init__(
        self, descriptor: int, cancellation: Cancellation, ended: Callable[[], int]
    ) -> None:
        self._descriptor = descriptor
        self._cancellation = cancellation
        self._ended = ended
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._cancellation.refuse()
        while not self._poll.poll(SLICE * 1000):
            self._cancellation.refuse()
        count = os.readv(self._descriptor, [buffer])
        if not count:
            self._ended()
        return count
