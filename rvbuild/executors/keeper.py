"""The line to the process that keeps the sandboxes (`keeper_process`).

Knows: how a child is asked for, and how its end is told. Must not know: bwrap's options.
"""

from __future__ import annotations

import contextlib
import errno
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable, Sequence
from io import FileIO

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import SandboxError, StepError
from rvbuild.executors import keeper_process
from rvbuild.executors.bwrap import INSTALL_HINT
from rvbuild.executors.porter import Porter

_PROCESS = (sys.executable, "-I", "-S", "-X", "utf8", keeper_process.__file__)
_MESSAGE = 4096
_GONE = "the process that keeps the sandboxes has ended, or has no descriptor free"
_INHERITED = ("LD_LIBRARY_PATH",)
"""Variables that this Python may not start without. The keeper's children get none of them."""
_HINTS: dict[int, Hint] = {
    errno.EMFILE: advise("raise the limit of open files (`ulimit -n`), or ", Remedy.FEWER_STEPS),
    errno.ENFILE: "close other programs: the machine has no open files left",
    errno.EAGAIN: "raise the limit of processes (`ulimit -u`, or the container's)",
    errno.ENOMEM: advise(Remedy.FEWER_STEPS, ", or have more memory"),
}


@frozen(kw_only=True)
class Request:
    """What to start: bwrap's path as its parent has it, and the command by paths inside.

    ``porter`` is what becomes bwrap, if it runs as somebody else outside.
    """

    program: str
    command: Sequence[str]
    porter: Porter | None = None

    def encode(self) -> bytes:
        room = self.porter.descriptors if self.porter else None
        return marshal.dumps((self.program, list(self.command), room))


class Child:
    """A process that the keeper started. ``pid`` is its number, as seen from here.

    Raises:
        SandboxError: it could not be started.
        StepError: its command line was longer than the kernel takes.
    """

    def __init__(self, answer: socket.socket) -> None:
        self._answer = answer
        self._exit_code: int | None = None
        self._handle = -1
        room = socket.CMSG_SPACE(4)
        text, extra, _, _ = answer.recvmsg(_MESSAGE, room, socket.MSG_CMSG_CLOEXEC)
        word, _, rest = text.decode().partition(" ")
        if word == "pid" and not extra:  # the kernel found no number free for it
            word, rest = "error", f"{errno.EMFILE} {os.strerror(errno.EMFILE)}"
        if word != "pid":
            answer.close()  # a child without its gate's last byte ends by itself
            number, _, reason = rest.partition(" ")
            raise _failure(int(number or 0), reason or _GONE)
        self.pid = int(rest)
        self._handle = int.from_bytes(extra[0][2], sys.byteorder)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, -N for signal N.

        Raises:
            SandboxError: the keeper has ended before it.
        """
        if self._exit_code is None:
            text = self._answer.recv(_MESSAGE).decode()
            if not text:
                raise _failure(0, _GONE)
            self._exit_code = int(text.removeprefix("exit "))
            self.close()
        return self._exit_code

    def close(self) -> None:
        """Forget it; what still runs is the keeper's to end."""
        self._answer.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Keeper:
    """Starts children through one process, made when the first is asked for.

    Args:
        limits: What each child may use (``Limits.table``).
    """

    def __init__(self, limits: Iterable[tuple[int, int]]) -> None:
        self._limits = [f"{kind}:{value}" for kind, value in limits]
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._words = -1  # a file in memory that has what the process says

    def start(self, request: Request, descriptors: Sequence[int]) -> Child:
        """Start a child.

        Args:
            request: What it is.
            descriptors: Its output, its report (standard input), its status, its options, its
                filter, the program that becomes the command, and the porter, if there is one.

        Raises:
            SandboxError: it could not be started.
            StepError: its command line was longer than the kernel takes.
        """
        try:
            return self._child(request, descriptors)
        except SandboxError as error:
            error.details += self._last_words()
            raise

    def _child(self, request: Request, descriptors: Sequence[int]) -> Child:
        try:
            return Child(self._ask(request.encode(), descriptors))
        except OSError as error:  # the keeper had ended before it was asked, too
            raise _failure(error.errno or 0, str(error)) from error

    def _ask(self, request: bytes, descriptors: Sequence[int]) -> socket.socket:
        """The line on which the keeper will tell the child's life."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, FileIO(os.memfd_create("request"), "wb") as file:
            try:
                file.write(request)
                asked = [theirs.fileno(), file.fileno(), *descriptors]
                socket.send_fds(self._open(), [b"!"], asked)
            except BaseException:
                ours.close()
                raise
        return ours

    def _open(self) -> socket.socket:
        with self._lock:
            if self._line is None:
                self._words = os.memfd_create("words")
                self._line, process = _launched(self._limits, self._words)
                weakref.finalize(self, _end, self._line, process, self._words)
            return self._line

    def _last_words(self) -> tuple[str, ...]:
        """The last line that the keeper wrote, if it wrote any: why it ended."""
        if self._words < 0:
            return ()
        text = os.pread(self._words, _MESSAGE, 0)
        return tuple(text.decode(errors="replace").splitlines()[-1:])


def _launched(limits: Sequence[str], words: int) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - this Python, and a file of this package
            (*_PROCESS, *limits),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=words,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            cwd="/",
            start_new_session=True,  # ^C is for us to pass on
        )
    return ours, process


def _end(line: socket.socket, process: subprocess.Popen[bytes], words: int) -> None:
    line.close()
    process.wait()
    os.close(words)


def _failure(number: int, reason: str) -> SandboxError | StepError:
    if number == errno.E2BIG:
        msg = "the command of the step is longer than the kernel takes (128 KiB a word)"
        return StepError(msg, hint="put the long part into a file beside the recipe")
    hint = _HINTS.get(number, INSTALL_HINT)
    return SandboxError(f"bubblewrap could not be started: {reason}", hint=hint)
