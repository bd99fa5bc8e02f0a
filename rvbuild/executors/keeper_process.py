"""A process between rvbuild and its sandboxes: starts each, and ends all when rvbuild ends.

Knows: processes, mounts, descriptors. Must not know: rvbuild (it is run by its path, and
imports nothing of it), what a sandbox is for.

It is the parent of every bwrap, in one thread, and adopts what a dying bwrap leaves
(PR_SET_CHILD_SUBREAPER). Standard input is its line to rvbuild: when rvbuild dies, by
whatever signal and at whatever moment, the kernel closes that line, and every child is
killed. A bwrap that is killed between its clone and its own PR_SET_PDEATHSIG leaves a child
that nothing else would end.

Where the request names an owner, the child leaves root: in a mount namespace of its own it
binds each source below ``STAGE``, where an id without rights can reach it although the
store may lie below a folder of mode 0700, and takes the owner's id.
"""

from __future__ import annotations

import contextlib
import ctypes
import marshal
import os
import resource
import select
import signal
import socket
import stat
from typing import Any

STAGE = "/tmp"  # noqa: S108 - covered by a tmpfs that only the child and bwrap see
CONTROL = 0
_FAILED = 127

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36  # prctl(2)
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_NOSUID, _NODEV, _BIND, _RECURSIVE, _SLAVE = 2, 4, 4096, 16384, 1 << 19  # mount(2)

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: Any) -> None:  # noqa: ANN401 - what ctypes takes
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


class _Answer:
    """The line on which one child's life is told."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)

    def tell(self, text: str, descriptors: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(OSError):  # whoever asked is gone
            socket.send_fds(self._socket, [text.encode(errors="replace")], descriptors)

    def close(self) -> None:
        self._socket.close()


class Keeper:
    """Starts children, waits for them, and lets none of them outlive ``control``."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._kept: dict[int, tuple[int, _Answer | None]] = {}  # by pidfd
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Return when the control line is closed and no child is left."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                for descriptor, _ in self._poll.poll():
                    if descriptor == self._control.fileno():
                        self._start()
                    else:
                        self._reap(descriptor)
        self._end()

    def _start(self) -> None:
        data, received, _, _ = socket.recv_fds(self._control, 1, 8)
        if not data:
            raise EOFError
        for one in received:
            os.set_inheritable(one, False)
        line = _Answer(received.pop())
        try:
            pid = _fork(received)
            handle = self._keep(pid, line)
            line.tell(f"pid {pid}", (handle,))
        except OSError as error:  # no process, no descriptor, no program
            line.tell(f"error {error.errno or 0} {error.strerror}")
            line.close()
        finally:
            for one in received:
                os.close(one)

    def _keep(self, pid: int, line: _Answer | None) -> int:
        handle = os.pidfd_open(pid)
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
                with contextlib.suppress(ProcessLookupError):
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


def _fork(passed: list[int]) -> int:
    """The number of a child that has become what is asked for.

    Raises:
        OSError: it has not.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with open(reader, "rb") as failure:
        try:
            pid = os.fork()
            if pid == 0:
                _become(passed, writer)
        finally:
            os.close(writer)
        said = failure.read()
    if said:
        os.waitpid(pid, 0)
        number, _, reason = said.decode(errors="replace").partition(" ")
        raise OSError(int(number), reason)
    return pid


# ---- in the child, which never returns


def _become(passed: list[int], failure: int) -> None:
    """Run bwrap; say on ``failure`` why not."""
    try:
        with open(passed[0], "rb", closefd=False) as file:
            file.seek(0)
            asked = marshal.load(file)  # noqa: S302 - rvbuild wrote it
        _leave_parent(passed[1], passed[2])
        _forget_parent()
        program = _staged(asked) if asked["owner"] else asked["program"]
        for kind, value in asked["limits"]:
            resource.setrlimit(kind, (value, value))
        if asked["owner"]:
            _leave_root(*asked["owner"])
        _call("prctl", _SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)  # a change of id clears it
        os.execve(program, _words(asked, *passed[3:]), {})  # noqa: S606 - bwrap
    except OSError as error:
        about = f": {error.filename}" if error.filename else ""
        os.write(failure, f"{error.errno or 0} {error.strerror}{about}".encode(errors="replace"))
    except BaseException as error:  # noqa: BLE001 - nothing may return into the keeper's loop
        os.write(failure, f"0 {error!r}".encode(errors="replace"))
    finally:
        os._exit(_FAILED)


def _leave_parent(output: int, report: int) -> None:
    os.setsid()
    _call("prctl", _SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    for one in signal.valid_signals():
        if signal.getsignal(one) != signal.SIG_DFL:
            signal.signal(one, signal.SIG_DFL)
    for source, target in ((report, 0), (output, 1), (output, 2)):
        os.dup2(source, target)


def _forget_parent() -> None:
    """Linux' defaults of what is inherited and is no limit."""
    for name, value in (("coredump_filter", b"0x33"), ("oom_score_adj", b"0")):
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "wb", 0) as file:
            file.write(value)  # a score that root gave is not ours to lower


def _words(
    asked: dict[str, Any], status: int, options: int, seal: int, threshold: int
) -> list[str]:
    """The command line of bwrap, whose options come through a pipe."""
    for one in (status, options, seal, threshold):
        os.set_inheritable(one, True)
    words = ("--json-status-fd", status, "--args", options, "--seccomp", seal, "--")
    return ["bwrap", *map(str, words), f"/proc/self/fd/{threshold}", *asked["command"]]


def _staged(asked: dict[str, Any]) -> str:
    """Bring every source within reach of whoever has no rights; where the program is now."""
    _call("unshare", _NEW_MOUNTS)
    _call("mount", None, b"/", None, _RECURSIVE | _SLAVE, None)
    opened = [(name, _opened(path)) for name, path in asked["sources"]]
    files = [(name, os.open(path, os.O_RDONLY | os.O_CLOEXEC)) for name, path in asked["files"]]
    _call("mount", b"rvbuild", STAGE.encode(), b"tmpfs", _NOSUID | _NODEV, b"mode=0755")
    for name, descriptor in opened:
        _bind(descriptor, os.path.join(STAGE, name))
    for name, descriptor in files:
        _copy(descriptor, os.path.join(STAGE, name))
    return os.path.join(STAGE, asked["files"][0][0])


def _leave_root(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _opened(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)


def _bind(descriptor: int, target: str) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.mkdir(target, 0o755)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    source = f"/proc/self/fd/{descriptor}".encode()
    _call("mount", source, os.fsencode(target), None, _BIND | _RECURSIVE, None)


def _copy(descriptor: int, target: str) -> None:
    """The program: its file, or a folder above it, may be closed to the owner."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    while os.sendfile(writer, descriptor, None, 1 << 20):
        pass
    os.close(writer)


def main() -> None:
    """Serve the line that is standard input."""
    os.umask(0o022)
    os.chdir("/")
    _call("prctl", _SET_SUBREAPER, 1, 0, 0, 0)
    control = socket.socket(fileno=CONTROL)
    Keeper(control).serve()


if __name__ == "__main__":
    main()
