"""The last thing before a step's command: it hides the machine, then becomes the command.

Knows: what a step may learn of the machine (docs/sandbox.md), and the system calls that hide
the rest. Must not know: bubblewrap's options, actions.

bwrap starts this small program in the finished sandbox, with three capabilities over a
user namespace in which nothing else lives. It covers every entry of ``/proc`` that is not
listed here, gives what a process inherits constant values, and moves its root into a copy of
the mounts that belongs to no mount namespace: with that, ``/proc/self/mountinfo`` and its
kin are empty, where they would name the store's folders. Then it gives up the capabilities.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator, Mapping

from attrs import frozen

from rvbuild.executors.machine_code import Call
from rvbuild.executors.program import Program

CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETPCAP")
_NUMBERS = (21, 18, 8)  # the last is what the others are dropped with

PROCESS = frozenset(("self", "thread-self", "mounts", "net"))
"""Entries of /proc that lead into the folder of the process that asks."""

SHOWN = frozenset(("cpuinfo", "loadavg", "meminfo", "stat", "uptime", "version"))
"""Entries of /proc that stay: processors, memory size, the clock, the kernel's release."""

KNOWN_FOLDERS = frozenset((
    "acpi", "asound", "bus", "driver", "dynamic_debug", "fs", "ide", "irq", "pressure", "scsi",
    "sysvipc", "tty",
))  # fmt: skip
KNOWN_FILES = frozenset((
    "bootconfig", "buddyinfo", "cgroups", "cmdline", "config.gz", "consoles", "crypto", "devices",
    "diskstats", "filesystems", "interrupts", "iomem", "ioports", "kallsyms", "kcore", "key-users",
    "keys", "kmsg", "locks", "mdstat", "misc", "modules", "mtrr", "pagetypeinfo", "partitions",
    "schedstat", "slabinfo", "softirqs", "swaps", "sysrq-trigger", "timer_list", "vmallocinfo",
    "vmstat", "zoneinfo",
))  # fmt: skip
"""What is covered even if the /proc of whoever starts a build does not show it."""

SETTINGS = {
    "kernel/cap_last_cap": "40",
    "kernel/pid_max": "4194304",
    "vm/max_map_count": "65530",
    "vm/mmap_min_addr": "65536",
    "vm/overcommit_memory": "0",
}
"""What /proc/sys holds besides ``kernel/osrelease``: Linux' defaults, for programs that ask."""

_REPORT = 3  # descriptors, when all others are closed
_NEXT = 4
_HERE = -100  # AT_FDCWD
_CLOEXEC = 0o2000000
_CREATE = 0o1 | 0o100 | 0o200 | _CLOEXEC  # O_WRONLY | O_CREAT | O_EXCL
_READ_ONLY, _SAFE, _NO_PROGRAMS = 1, 2 | 4, 8  # MS_RDONLY, MS_NOSUID | MS_NODEV, MS_NOEXEC
_REMOUNT, _BIND = 32, 4096
_NEW_NAMESPACES = 0x20000 | 0x4000000  # CLONE_NEWNS | CLONE_NEWUTS
_CLONE_TREE = 1 | _CLOEXEC | 0x8000  # OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
_MEMORY = "/dev/shm"  # noqa: S108 - inside
_SHARED, _SETTINGS_COVER = f"{_MEMORY}/shared", f"{_MEMORY}/settings"
_FIRST_COVER = f"{_MEMORY}/first"  # over bwrap's own process: its mounts, program and limits
_EMPTY_FILE, _EMPTY_FOLDER = f"{_FIRST_COVER}/cmdline", f"{_FIRST_COVER}/fd"
_IF_THERE = (errno.ENOENT,)
_IF_ALLOWED = (errno.EPERM, errno.EACCES)
_SHM_BYTES = 1 << 30
_OF_THE_C_LIBRARY = (32, 33)  # signals that its posix_spawn leaves ignored
_SLACK = 50_000  # ns, Linux' default


@frozen
class Threshold(Program):
    """The program that stands before each command."""

    @classmethod
    def to(cls, folder: str) -> Threshold:
        """For commands that start in ``folder``.

        Raises:
            SandboxError: none can be made for this machine.
        """
        return cls.of(tuple(_calls(folder, _entries("/proc"))), _REPORT)


def _entries(proc: str) -> dict[str, bool]:
    """Each entry that may be there, and whether it is a folder."""
    found = {name: os.path.isdir(f"{proc}/{name}") for name in os.listdir(proc)}
    kept = dict.fromkeys(KNOWN_FILES, False) | dict.fromkeys(KNOWN_FOLDERS, True) | found
    processes = (name for name in found if name.isdecimal())
    for name in (*processes, *PROCESS, *SHOWN, "sys"):
        kept.pop(name, None)
    return dict(sorted(kept.items()))


def _calls(folder: str, proc: Mapping[str, bool]) -> Iterator[Call]:
    yield from _descriptors()
    yield Call("unshare", (_NEW_NAMESPACES,))
    yield Call("setdomainname", (_text("(none)"), 6))
    yield from _filled_memory()
    yield from _covered(proc)
    yield from _read_only()
    yield from _moved_root(folder)
    yield from _inherited()
    yield from _no_capabilities()


def _descriptors() -> Iterator[Call]:
    """The report comes as standard input; what else bwrap let through goes."""
    yield Call("dup3", (0, _REPORT, _CLOEXEC))
    yield Call("close_range", (_NEXT, 0xFFFFFFFF, 0))
    yield Call("openat", (_HERE, _text("/dev/null"), _CLOEXEC))
    yield Call("dup3", (_NEXT, 0, 0))
    yield Call("close", (_NEXT,))


def _filled_memory() -> Iterator[Call]:
    """One file system in memory for all that is laid over something: several would take longer."""
    given = f"mode=0755,size={_SHM_BYTES}"
    yield Call("mount", (*map(_text, ("tmpfs", _MEMORY, "tmpfs")), _SAFE, _text(given)))
    for path in (_SHARED, _FIRST_COVER, _EMPTY_FOLDER, _SETTINGS_COVER):
        yield _folder(path)
    yield Call("fchmodat", (_HERE, _text(_SHARED), 0o1777))
    yield from _file(_EMPTY_FILE, "")
    settings = {**SETTINGS, "kernel/osrelease": os.uname().release}
    for folder in sorted({name.partition("/")[0] for name in settings}):
        yield _folder(f"{_SETTINGS_COVER}/{folder}")
    for name, value in settings.items():
        yield from _file(f"{_SETTINGS_COVER}/{name}", f"{value}\n")


def _covered(proc: Mapping[str, bool]) -> Iterator[Call]:
    """An empty file or folder over each entry of /proc that is not to be seen."""
    for cover, path in ((_FIRST_COVER, "/proc/1"), (_SETTINGS_COVER, "/proc/sys")):
        yield _bound(cover, path)
        yield _closed(path, _SAFE | _NO_PROGRAMS)
    for name, folder in proc.items():
        yield _bound("/proc/1/fd" if folder else "/proc/1/cmdline", f"/proc/{name}")  # read-only
    yield _bound(_SHARED, _MEMORY)


def _read_only() -> Iterator[Call]:
    """The empty root in which all hangs, the devices, and /proc; bwrap takes longer for it.

    A step of root's may keep root's number outside, and so could write what root may.
    """
    yield _closed("/proc", _SAFE | _NO_PROGRAMS)
    yield _closed("/dev", _SAFE)
    yield _closed("/", _SAFE)


def _moved_root(folder: str) -> Iterator[Call]:
    yield Call("open_tree", (_HERE, _text("/"), _CLONE_TREE))
    yield Call("fchdir", (_NEXT,))
    yield Call("chroot", (_text("."),))
    yield Call("chdir", (_text(folder),))
    yield Call("close", (_NEXT,))


def _inherited() -> Iterator[Call]:
    """What a process has from the one that started rvbuild, and may set itself."""
    yield Call("personality", (0,))
    yield Call("rt_sigprocmask", (2, bytes(8), 0, 8))  # SIG_SETMASK
    for number in _OF_THE_C_LIBRARY:
        yield Call("rt_sigaction", (number, bytes(32), 0, 8))  # SIG_DFL
    yield Call("prctl", (29, _SLACK, 0, 0, 0))  # PR_SET_TIMERSLACK
    yield Call("prctl", (41, 0, 0, 0, 0))  # PR_SET_THP_DISABLE
    yield Call("ioprio_set", (1, 0, 0), _IF_ALLOWED)
    yield Call("sched_setscheduler", (0, 0, bytes(8)), _IF_ALLOWED)
    yield Call("setpriority", (0, 0, 0), _IF_ALLOWED)


def _no_capabilities() -> Iterator[Call]:
    for number in _NUMBERS:
        yield Call("prctl", (24, number, 0, 0, 0))  # PR_CAPBSET_DROP
    yield Call("prctl", (47, 4, 0, 0, 0))  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
    yield Call("capset", (struct.pack("=Ii", 0x20080522, 0), bytes(24)))


def _bound(source: str, path: str) -> Call:
    return Call("mount", (_text(source), _text(path), 0, _BIND, 0), _IF_THERE)


def _closed(path: str, flags: int) -> Call:
    return Call("mount", (0, _text(path), 0, _REMOUNT | _BIND | _READ_ONLY | flags, 0))


def _folder(path: str) -> Call:
    return Call("mkdirat", (_HERE, _text(path), 0o755))


def _file(path: str, content: str) -> Iterator[Call]:
    yield Call("openat", (_HERE, _text(path), _CREATE, 0o444))
    if content:
        yield Call("write", (_NEXT, content.encode(), len(content)))
    yield Call("close", (_NEXT,))


def _text(text: str) -> bytes:
    return os.fsencode(text) + b"\0"
