"""What a process can find out about the machine, one function a fact; run as a program.

``python machine_facts.py`` prints a JSON object: each fact's name with what was found. Knows
nothing of rvbuild: it runs outside, where the facts are the machine's and its user's, and inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
_X86 = platform.machine() == "x86_64"


def read(path: str) -> str | None:
    """A file's text; None if it is not to be had."""
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return None


def field(path: str, *names: str) -> list[str]:
    lines = (read(path) or "").splitlines()
    return [line for line in lines if line.split(":")[0].strip() in names]


def listed(folder: str) -> list[str] | None:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return None


# ---- what a step may learn


def kernel_release() -> object:
    return [os.uname().release, read("/proc/sys/kernel/osrelease")]


def processors() -> object:
    return [sorted(os.sched_getaffinity(0)), len(field("/proc/cpuinfo", "processor"))]


def memory_size() -> object:
    return [field("/proc/meminfo", "MemTotal"), os.sysconf("SC_PHYS_PAGES")]


def clock() -> object:
    """In hours, so that two who look one after the other see the same."""
    boot = float((read("/proc/uptime") or "0").split()[0])
    return [round(one / 3600) for one in (time.time(), boot)]


def ids() -> object:
    return [os.getuid(), os.getgid(), os.getgroups()]


# ---- what is the same everywhere


def host_name() -> object:
    return [os.uname().nodename, socket.gethostname(), read("/proc/sys/kernel/hostname")]


def domain_name() -> object:
    name = ctypes.create_string_buffer(100)
    libc.getdomainname(name, 100)
    return [name.value.decode(), read("/proc/sys/kernel/domainname")]


def environment() -> object:
    ours = {"LC_CTYPE", "jobs"}  # of Python itself; a number that the machine gives
    return {name: value for name, value in os.environ.items() if name not in ours}


def working_directory() -> object:
    return os.getcwd()


def limits() -> object:
    return {kind: resource.getrlimit(kind) for kind in range(16)}


def file_mask() -> object:
    return os.umask(0o022)


def signals() -> object:
    return field("/proc/self/status", "SigBlk", "SigIgn", "SigPnd")


def scheduling() -> object:
    return [os.sched_getscheduler(0), libc.syscall(252 if _X86 else 31, 1, 0)]  # ioprio_get


def timer_slack() -> object:
    return libc.prctl(30, 0, 0, 0, 0)


def personality() -> object:
    return libc.personality(0xFFFFFFFF)


def memory_kill_score() -> object:
    return read("/proc/self/oom_score_adj")


def core_dumps() -> object:
    return read("/proc/self/coredump_filter")


def privileges() -> object:
    names = [f"Cap{one}" for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    return field("/proc/self/status", *names, "NoNewPrivs", "Seccomp")


def descriptors() -> object:
    return [[name, os.readlink(f"/proc/self/fd/{name}")] for name in "0"] + [
        name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")
    ]


def control_group() -> object:
    return read("/proc/self/cgroup")


def network() -> object:
    return [name for _, name in socket.if_nameindex()]


# ---- what is hidden


def boot_id() -> object:
    return read("/proc/sys/kernel/random/boot_id")


def kernel_command_line() -> object:
    return [read("/proc/cmdline"), read("/proc/bootconfig")]


def machine_id() -> object:
    return [read("/etc/machine-id"), read("/var/lib/dbus/machine-id"), listed("/sys")]


def mount_sources() -> object:
    tables = ("mountinfo", "mounts", "mountstats")
    places = [name for name in os.listdir("/proc") if name.isdecimal()]
    places += ["self", "thread-self", f"self/task/{os.getpid()}"]
    found = {f"/proc/{place}/{table}" for place in places for table in tables}
    return sorted({content for path in found if (content := read(path))})


def mount_calls() -> object:
    """``statmount`` and ``listmount`` (Linux 6.8): whether the kernel has them for us."""
    request = ctypes.create_string_buffer(b"\x18" + bytes(15) + b"\xff", 24)
    answers = [libc.syscall(number, request, ctypes.create_string_buffer(4096), 10, 0)
               for number in (457, 458)]  # fmt: skip
    return [*answers, ctypes.get_errno()]


def first_process() -> object:
    """What there is of whoever made the sandbox."""
    names = listed("/proc/1")
    links = []
    for name in ("exe", "cwd", "root"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/1/{name}"))
    return [names, [read(f"/proc/1/{name}") for name in ("cmdline", "environ", "limits")], links]


def kernel_tables() -> object:
    """Entries of /proc, besides those of processes, in which there is something to read."""
    found = []
    for name in sorted(os.listdir("/proc")):
        path = f"/proc/{name}"
        if name.isdecimal() or os.path.islink(path):
            continue
        if listed(path) or (not os.path.isdir(path) and _any(path)):
            found.append(name)
    return found


def _any(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return bool(os.read(descriptor, 1))
        finally:
            os.close(descriptor)
    except BlockingIOError:
        return True
    except OSError:
        return False


def kernel_settings() -> object:
    found = {}
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            found[path[len("/proc/sys/") :]] = _any(path) and read(path)
    return found


def disks() -> object:
    """The identities that file systems tell (FS_IOC_GETFSUUID and older ways)."""
    requests = (0x80111500, 0x80811501, 0x8008662C, 0x8400941F, 0x8100587E, 0x8070587C, 0x80705864)
    told = []
    for path in ("/", os.getcwd(), "/usr", "/tmp", "/dev/shm"):  # noqa: S108
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            for request in requests:
                with contextlib.suppress(OSError):
                    fcntl.ioctl(descriptor, request - (1 << 32), bytearray(1024))
                    told.append(hex(request))
            os.close(descriptor)
    return sorted(set(told))


def keys() -> object:
    return [read("/proc/keys"), read("/proc/key-users")]


# ---- all that can be read, at once


def traces() -> list[str]:
    """Which of the words of the variable TRACES are anywhere in what can be read of /proc."""
    words = [one.encode() for one in os.environ["TRACES"].split("\n") if one]
    found: set[bytes] = set()
    folders = ["/proc/self", "/proc/thread-self", "/proc/1", "/proc/sys", "/proc/fs", "/proc/net"]
    names = [f"/proc/{one}" for one in os.listdir("/proc") if not one.isdecimal()]
    own = {"environ", "kmsg", "kcore", "mem", "pagemap", "kpagecount", "kpageflags"}
    for folder in folders:
        for at, _, files in os.walk(folder):
            names += [f"{at}/{one}" for one in files if one not in own]
    for name in names:
        content = _bytes(name)
        found.update(one for one in words if one in content)
    return sorted(one.decode() for one in found)


def _bytes(path: str) -> bytes:
    if os.path.basename(path) in {"kmsg", "kcore"}:
        return b""
    content = b""
    with contextlib.suppress(OSError):
        content += os.readlink(path).encode()
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.suppress(OSError):
            content += os.read(descriptor, 1 << 20)
        os.close(descriptor)
    return content


FACTS: tuple[Callable[[], object], ...] = (
    kernel_release, processors, memory_size, clock, ids,
    host_name, domain_name, environment, working_directory, limits, file_mask, signals,
    scheduling, timer_slack, personality, memory_kill_score, core_dumps, privileges,
    descriptors, control_group, network,
    boot_id, kernel_command_line, machine_id, mount_sources, mount_calls, first_process,
    kernel_tables, kernel_settings, disks, keys,
)  # fmt: skip


def disturb() -> None:
    """Become a process that differs in all that is inherited; then run the rest of the line."""
    os.umask(0o077)
    libc.personality(0x0040000)  # ADDR_NO_RANDOMIZE
    libc.prctl(29, 1234567, 0, 0, 0)  # PR_SET_TIMERSLACK
    libc.syscall(251 if _X86 else 30, 1, 0, 3 << 13 | 7)  # ioprio_set: idle
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    for name, value in (("oom_score_adj", "300"), ("coredump_filter", "0x7f")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(value)
    for kind, value in ((resource.RLIMIT_MEMLOCK, 4096), (resource.RLIMIT_SIGPENDING, 1000),
                        (resource.RLIMIT_NOFILE, 900), (resource.RLIMIT_STACK, 4 << 20),
                        (resource.RLIMIT_AS, 1 << 40), (resource.RLIMIT_CPU, 10000)):  # fmt: skip
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    if libc.unshare(0x4000000) == 0:  # CLONE_NEWUTS, for root
        libc.sethostname(b"strange", 7)
        libc.setdomainname(b"strange.example", 15)
    os.environ["STRANGE"] = "strange"
    os.chdir("/")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - whatever the test says


def main() -> None:
    if sys.argv[1:2] == ["disturb"]:
        disturb()
    found = {one.__name__: one() for one in FACTS}
    sys.stdout.write(json.dumps({**found, "traces": traces()}) + "\n")


if __name__ == "__main__":
    main()
