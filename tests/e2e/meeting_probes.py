"""Attempts of two processes to meet: each leaves something that the other tries to find.

``python meeting_probes.py leave PLACES`` leaves everything, says ``ready``, and then says
``saw NAME`` whenever something reached it, and ``tick`` after each look. ``… find PLACES``
prints what came of each attempt and ends. Knows nothing of rvbuild: both run outside,
where the attempts must work, and in two sandboxes, where they may not.

PLACES is JSON: ``build``, ``tmp``, ``shm``, ``cache`` (an accelerator), ``input`` (a folder
with ``file`` and ``program``).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
KEY = 0x52564D45
MARK = "meeting-probe-left"
PORTS = {"tcp4": 47311, "tcp6": 47312, "udp4": 47313}
_X86 = platform.machine() == "x86_64"
_CALLS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "add_key": (248, 217), "request_key": (249, 218),
}  # fmt: skip
ALIVE: list[object] = []
"""What must stay open while this process runs."""


class Stopped(Exception):
    """The attempt did not work."""


def call(name: str, *arguments: object) -> int:
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    libc.syscall.restype = ctypes.c_long
    result: int = libc.syscall(ctypes.c_long(_CALLS[name][0 if _X86 else 1]), *words)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def must(worked: object, why: str = "nothing came of it") -> None:
    if not worked:
        raise Stopped(why)


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def saw(name: str) -> None:
    say(f"saw {name}")


# ---- what the left one leaves


class Left:
    """Everything that is left; ``polled`` looks whether something came of it."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places
        self.polled: list[Callable[[], None]] = []

    def leave(self) -> None:
        for name in ("build", "tmp", "shm", "cache", "input"):
            self.attempt(lambda name=name: self.file(name))
        for name in ("build", "tmp", "shm", "cache"):
            self.attempt(lambda name=name: self.unix(f"{self.places[name]}/socket"))
            self.attempt(lambda name=name: os.mkfifo(f"{self.places[name]}/fifo"))
        self.attempt(lambda: self.unix("\0rvbuild-meeting"))
        for one in (self.network, self.netlink, self.segments, self.queue, self.memory):
            self.attempt(one)
        for one in (self.signals, self.terminal, self.locks, self.watches, self.key):
            self.attempt(one)

    @staticmethod
    def attempt(action: Callable[[], None]) -> None:
        """What cannot even be left is not found either."""
        try:
            action()
        except (OSError, AttributeError) as error:
            say(f"could not: {error!r}")

    def file(self, name: str) -> None:
        with open(f"{self.places[name]}/left", "w", encoding="ascii") as file:
            file.write("left")

    def unix(self, address: str) -> None:
        """Whoever connects gets a descriptor that can be written to."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(address)
        server.listen()
        self.serve(server)

    def serve(self, server: socket.socket) -> None:
        server.setblocking(False)
        ALIVE.append(server)

        def poll() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    if server.family == socket.AF_UNIX:
                        memory = os.memfd_create("handed")
                        socket.send_fds(connection, [b"!"], [memory])
                        os.close(memory)
                    else:
                        connection.sendall(b"!")

        self.polled.append(poll)

    def network(self) -> None:
        for family, host, name in (
            (socket.AF_INET, "127.0.0.1", "tcp4"), (socket.AF_INET6, "::1", "tcp6"),
        ):  # fmt: skip
            self.attempt(lambda f=family, h=host, n=name: self.listen(f, h, n))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", PORTS["udp4"]))
        udp.setblocking(False)
        ALIVE.append(udp)

        def poll() -> None:
            try:
                _, address = udp.recvfrom(10)
                udp.sendto(b"!", address)
            except OSError:
                return

        self.polled.append(poll)

    def listen(self, family: int, host: str, name: str) -> None:
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, PORTS[name]))
        server.listen()
        self.serve(server)

    def netlink(self) -> None:
        line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)  # NETLINK_USERSOCK
        line.bind((47311, 0))
        line.setblocking(False)
        ALIVE.append(line)

        def poll() -> None:
            try:
                line.recv(100)
                saw("netlink")
            except OSError:
                return

        self.polled.append(poll)

    def segments(self) -> None:
        must(libc.shmget(KEY, 4096, 0o1666) >= 0)
        must(libc.semget(KEY, 1, 0o1666) >= 0)
        must(libc.msgget(KEY, 0o1666) >= 0)

    def queue(self) -> None:
        ALIVE.append(call("mq_open", b"rvbuild-meeting", os.O_CREAT | os.O_RDWR, 0o666, None))

    def memory(self) -> None:
        self.secret = os.memfd_create("secret")
        os.write(self.secret, b"secret")
        page = mmap.mmap(-1, 4096)
        page[:6] = b"secret"
        ALIVE.append(page)

    def signals(self) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: saw("kill"))
        signal.signal(signal.SIGUSR2, lambda *_: saw("kill_group"))

    def terminal(self) -> None:
        ours, theirs = os.openpty()
        os.chmod(os.ttyname(theirs), 0o666)  # noqa: S103 - that the other may write to it
        os.set_blocking(ours, False)

        def poll() -> None:
            try:
                if os.read(ours, 100):
                    saw("terminal")
            except OSError:
                return

        self.polled.append(poll)
        ALIVE.append(theirs)

    def locks(self) -> None:
        for place in ("input", "toolbox"):
            file = os.open(f"{self.places[place]}/file", os.O_RDONLY)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
            ALIVE.append(file)

    def watches(self) -> None:
        self.watch("input", "watch")
        self.watch("toolbox", "watch_toolbox")

    def watch(self, place: str, name: str) -> None:
        watch = libc.inotify_init1(os.O_NONBLOCK)
        path = f"{self.places[place]}/program".encode()
        must(libc.inotify_add_watch(watch, path, 0x20) >= 0)  # IN_OPEN

        def poll() -> None:
            try:
                if os.read(watch, 4096):
                    saw(name)
            except OSError:
                return

        self.polled.append(poll)

    def key(self) -> None:
        call("add_key", b"user", b"rvbuild-meeting", b"secret", 6, -4)  # the user's keyring

    def run(self) -> None:
        self.leave()
        say(f"ready {os.getpid()}")
        while True:
            for poll in self.polled:
                poll()
            say("tick")
            time.sleep(0.1)


# ---- what the right one tries


def left_pid() -> int:
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if MARK.encode() in file.read():
                        return int(name)
            except OSError:
                continue
    msg = "there is no such process"
    raise Stopped(msg)


def find_file(path: str) -> None:
    with open(f"{path}/left", encoding="ascii") as file:
        must(file.read() == "left")


def connect(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)
        data, handed, _, _ = socket.recv_fds(client, 1, 1)
        must(data == b"!")
        os.write(handed[0], b"written by the other")


def connect_below(path: str) -> None:
    connect(f"{path}/socket")


def connect_abstract(_: str) -> None:
    connect("\0rvbuild-meeting")


def fifo(path: str) -> None:
    must(stat.S_ISFIFO(os.stat(f"{path}/fifo").st_mode))


def tcp(host: str, port: int, family: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((host, port))
        must(client.recv(1) == b"!")


def tcp4(_: str) -> None:
    tcp("127.0.0.1", PORTS["tcp4"], socket.AF_INET)


def tcp6(_: str) -> None:
    tcp("::1", PORTS["tcp6"], socket.AF_INET6)


def udp4(_: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.sendto(b"?", ("127.0.0.1", PORTS["udp4"]))
        must(client.recv(1) == b"!")


def netlink(_: str) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2) as line:
        line.sendto(b"x" * 16, (47311, 0))


def shared_memory(_: str) -> None:
    must(libc.shmget(KEY, 4096, 0) >= 0)


def semaphore(_: str) -> None:
    must(libc.semget(KEY, 1, 0) >= 0)


def message_queue(_: str) -> None:
    must(libc.msgget(KEY, 0) >= 0)


def posix_queue(_: str) -> None:
    call("mq_open", b"rvbuild-meeting", os.O_RDWR, 0, None)


def key(_: str) -> None:
    call("request_key", b"user", b"rvbuild-meeting", None, 0)


def see(_: str) -> None:
    left_pid()


def kill(_: str) -> None:
    os.kill(left_pid(), signal.SIGUSR1)


def kill_by_number(given: str) -> None:
    """By the number that it has in its own sandbox, and by each other number."""
    reached = False
    for number in {int(given), *range(2, 3000)} - {os.getpid(), os.getppid()}:
        try:
            os.kill(number, 0)
            reached = True
        except OSError:
            continue
    must(reached)


def attach(_: str) -> None:
    call("ptrace", 0x4206, left_pid(), 0, 0)  # PTRACE_SEIZE


def read_memory(_: str) -> None:
    pid = left_pid()
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        start = int(file.readline().partition("-")[0], 16)
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(start, 8)
    must(call("process_vm_readv", pid, local, 1, remote, 1, 0) == 8)


def steal_descriptor(_: str) -> None:
    handle = call("pidfd_open", left_pid(), 0)
    call("pidfd_getfd", handle, 1, 0)


def open_memory(_: str) -> None:
    """A memfd of the other, through /proc."""
    pid = left_pid()
    for name in os.listdir(f"/proc/{pid}/fd"):
        if "memfd:secret" in os.readlink(f"/proc/{pid}/fd/{name}"):
            with open(f"/proc/{pid}/fd/{name}", "r+b") as file:
                must(file.write(b"x"))
                return
    must(False)


def other_root(_: str) -> None:
    must(os.listdir(f"/proc/{left_pid()}/root"))


def other_environment(_: str) -> None:
    with open(f"/proc/{left_pid()}/environ", "rb") as file:
        file.read()


def limit_other(_: str) -> None:
    resource.prlimit(left_pid(), resource.RLIMIT_CORE)


def renice_user(_: str) -> None:
    """Every process of the user that this one can see."""
    pid = left_pid()
    os.setpriority(os.PRIO_USER, os.getuid(), 1)
    must(os.getpriority(os.PRIO_PROCESS, pid) >= 1)


def terminal(_: str) -> None:
    written = False
    for name in os.listdir("/dev/pts"):
        if name.isdecimal():
            try:
                line = os.open(f"/dev/pts/{name}", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            except OSError:
                continue
            written = os.write(line, b"from the other\n") > 0
            os.close(line)
    must(written)


def write_input(path: str) -> None:
    with open(f"{path}/file", "a", encoding="ascii") as file:
        file.write("x")


def mode_of_input(path: str) -> None:
    os.chmod(f"{path}/file", 0o640)


def times_of_input(path: str) -> None:
    os.utime(f"{path}/file", (1, 1))


def attribute_of_input(path: str) -> None:
    os.setxattr(f"{path}/file", "user.meeting", b"x")


def read_time_of_input(path: str) -> None:
    """Reading a file may tell others that it was read."""
    file = f"{path}/unread"
    before = os.stat(file).st_atime_ns
    with open(file, "rb") as opened:
        opened.read()
    must(os.stat(file).st_atime_ns != before)


def link_input(path: str) -> None:
    """Out of the inputs into a folder of one's own, under another name of one inode."""
    os.link(f"{path}/file", os.path.join(PLACES["build"], f"linked-{os.getpid()}"))


def link_cache(path: str) -> None:
    source, target = os.path.join(path, "left"), os.path.join(PLACES["build"], "linked-cache")
    os.link(source, target)


def nameless_into_input(path: str) -> None:
    file = os.open(PLACES["tmp"], os.O_TMPFILE | os.O_RDWR, 0o600)
    os.link(f"/proc/self/fd/{file}", f"{path}/nameless-{os.getpid()}", follow_symlinks=True)


def rename_into_input(path: str) -> None:
    with open(f"{PLACES['tmp']}/mine", "w", encoding="ascii"):
        pass
    os.rename(f"{PLACES['tmp']}/mine", f"{path}/renamed")


def remove_of_cache(path: str) -> None:
    """That the other loses what it left there."""
    with open(f"{path}/left", encoding="ascii"):
        pass
    os.unlink(f"{path}/left")


def map_input(path: str) -> None:
    file = os.open(f"{path}/file", os.O_RDWR)
    with mmap.mmap(file, 1) as mapped:
        mapped[0:1] = b"X"


def flock(path: str) -> None:
    with open(f"{path}/file", "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            must(error.errno == errno.EAGAIN)
            return
    must(False, "nobody has it")


def record_lock(path: str) -> None:
    """Asking for a lock tells whether somebody has one."""
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    with open(f"{path}/file", "rb") as file:
        kind = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))[0]
    must(kind != fcntl.F_UNLCK, "nobody has one")


def watch(path: str) -> None:
    """The other sees that it is opened."""
    with open(f"{path}/program", "rb"):
        pass


def watch_toolbox(path: str) -> None:
    watch(path)


PLACES: dict[str, str] = {}


def main() -> None:
    PLACES.update(json.loads(sys.argv[2]))
    if sys.argv[1] == "leave":
        Left(PLACES).run()
    for name, argument in json.loads(sys.argv[3]):
        try:
            globals()[name](argument)
            result = "met"
        except (OSError, Stopped, ValueError, IndexError) as error:
            result = f"stopped: {error!r}"
        say(json.dumps([name, argument, result]))


if __name__ == "__main__":
    main()
