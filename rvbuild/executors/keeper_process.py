"""A process between rvbuild and its sandboxes: starts each, and ends all when rvbuild ends.

Knows: processes, mounts, descriptors. Must not know: rvbuild (it is run by its path, and
imports nothing of it), what a sandbox is for.

It is the parent of every bwrap, in one thread, and adopts what a dying bwrap leaves
(PR_SET_CHILD_SUBREAPER). Standard input is its line to rvbuild: when rvbuild dies, by
whatever signal and at whatever moment, the kernel closes that line, and every child is
killed. A bwrap that is killed between its clone and its own PR_SET_PDEATHSIG leaves a child
that nothing else would end.

Children inherit what is the same for all of them: the limits (its own arguments), Linux'
defaults of what rvbuild may have otherwise, a session. So a child needs no copy of this
process (vfork), and is the asked program at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import marshal
import os
import resource
import select
import signal
import socket
import sys

CONTROL = 0
_FIRST = 3  # of the descriptors that are nobody's input or output
_MANY = 16  # descriptors of a request are fewer
_SET_SUBREAPER = 36  # prctl(2)


class _Answer:
    """The line on which one child's life is told."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)

    def tell(self, text: str, descriptors: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(OSError):  # whoever asked is gone
            socket.send_fds(self._socket, [text.encode(errors="replace")], descriptors)

    def fail(self, number: int) -> None:
        self.tell(f"error {number} {os.strerror(number)}")
        self.close()

    def close(self) -> None:
        self._socket.close()


class Server:
    """Starts children, waits for them, and lets none of them outlive ``control``."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._kept: dict[int, tuple[int, _Answer | None]] = {}  # by pidfd
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Return when the control line is closed and no child is left."""
        try:
            while True:
                for descriptor, _ in self._poll.poll():
                    if descriptor == self._control.fileno():
                        self._start()
                    else:
                        self._reap(descriptor)
        except (EOFError, ConnectionError):
            return
        finally:
            self._end()

    def _start(self) -> None:
        received, whole = self._received()
        if not received:
            return  # whoever asked sees the end of the line that this process did not get
        line = _Answer(received.pop(0))
        try:
            if whole:
                pid = _spawn(*received)
                line.tell(f"pid {pid}", (self._keep(pid, line),))
            else:
                line.fail(errno.EMFILE)
        except OSError as error:  # no process, no descriptor, no program
            number = error.errno or 0  # EBADF: dup2(2) says so of a number above the limit
            line.fail(errno.EMFILE if number == errno.EBADF else number)
        finally:
            for one in received:
                os.close(one)

    def _received(self) -> tuple[list[int], bool]:
        """Descriptors that no child inherits, and whether those are all that were sent.

        The kernel leaves out those for which this process has no number free. The first is the
        line for the answer. (``socket.recv_fds`` takes no flags in Python 3.11.)
        """
        room = socket.CMSG_LEN(_MANY * 4)
        data, extra, flags, _ = self._control.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise EOFError
        received = [one for _, _, numbers in extra for one in memoryview(numbers).cast("i")]
        return received, not flags & socket.MSG_CTRUNC

    def _keep(self, pid: int, line: _Answer | None) -> int:
        try:
            handle = os.pidfd_open(pid)
        except OSError:  # what has no handle would not be waited for
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._kept[handle] = (pid, line)
        self._poll.register(handle, select.POLLIN)
        return handle

    def _reap(self, handle: int) -> None:
        pid, line = self._kept.pop(handle)
        self._poll.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        if line is not None:
            line.tell(f"exit {os.waitstatus_to_exitcode(status)}")
            line.close()
        self._adopt()

    def _adopt(self) -> None:
        """Kill the children that a dead child left."""
        known = {pid for pid, _ in self._kept.values()}
        for pid in _children():
            if pid not in known:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    self._keep(pid, None)

    def _end(self) -> None:
        while True:
            for pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _children() -> list[int]:
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [
            pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _of(pid, own)
        ]


def _of(pid: int, parent: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1]) == parent
    except OSError:
        return False


def _spawn(request: int, output: int, report: int, *passed: int) -> int:
    """The number of a child that runs what is asked for.

    Raises:
        OSError: it cannot be started.
    """
    program, command, room = marshal.loads(_content(request))  # noqa: S302 - rvbuild wrote it
    first = max(output, report, *passed, _FIRST + (room or 0)) + 1
    places = [(report, 0), (output, 1), (output, 2)]
    places += [(one, first + number) for number, one in enumerate(passed)]
    status, options, seal, threshold, *porter = (place for _, place in places[3:])
    words = ["--json-status-fd", status, "--args", options, "--seccomp", seal, "--"]
    arguments = [program, *map(str, words), f"/proc/self/fd/{threshold}", *command]
    if porter:
        arguments = ["porter", *arguments]
        program = f"/proc/self/fd/{porter[0]}"
    return os.posix_spawn(
        program,
        arguments,
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, *each) for each in places],
        setsid=True,
        setsigdef=[signal.SIGPIPE],
    )


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


# ---- what children inherit


def _set_limits(words: list[str]) -> None:
    for word in words:
        kind, _, value = word.partition(":")
        resource.setrlimit(int(kind), (int(value), int(value)))


def _forget_parent() -> None:
    """Linux' defaults of what is inherited and is no limit."""
    for one in signal.valid_signals():
        if signal.getsignal(one) != signal.SIG_DFL and one != signal.SIGPIPE:
            signal.signal(one, signal.SIG_DFL)
    for name, value in (("coredump_filter", b"0x33"), ("oom_score_adj", b"0")):
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "wb", 0) as file:
            file.write(value)  # a score that root gave is not ours to lower


def main() -> None:
    """Serve the line that is standard input."""
    os.umask(0o022)
    os.chdir("/")
    ctypes.CDLL(None).prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    _forget_parent()
    _set_limits(sys.argv[1:])
    control = socket.socket(fileno=CONTROL)
    Server(control).serve()


if __name__ == "__main__":
    main()
