"""Attempts to get out of a sandbox, one function each; run as a program.

``python escape_probes.py '[[NAME, ARGUMENT], …]'`` prints what came of each. Knows nothing
of rvbuild: it runs outside, where the attempts must work, and inside, where none may.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
_X86 = platform.machine() == "x86_64"
# x86-64 number, number of every newer architecture
_CALLS = {
    "ptrace": (101, 117), "syslog": (103, 116), "unshare": (272, 97), "setns": (308, 268),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "process_vm_readv": (310, 270), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "clone3": (435, 435),
    "mount": (165, 40), "umount2": (166, 39), "shmget": (29, 194), "shmat": (30, 196),
    "semget": (64, 190), "msgget": (68, 186), "sethostname": (170, 161),
    "clock_settime": (227, 112), "clone": (56, 220), "pivot_root": (155, 41),
    "init_module": (175, 105), "reboot": (169, 142), "fsopen": (430, 430),
    "open_tree": (428, 428), "move_mount": (429, 429), "fspick": (433, 433),
    "mount_setattr": (442, 442), "fanotify_init": (300, 262), "adjtimex": (159, 171),
    "setdomainname": (171, 162), "delete_module": (176, 106), "mlock": (149, 228),
    "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "statmount": (457, 457),
}  # fmt: skip

FIRST = os.environ.get("FIRST", "1")
"""A process that is not ours: inside, the first of the sandbox."""


class Stopped(Exception):
    """The attempt did not work."""


def call(name: str, *arguments: object) -> int:
    """A bare system call; raises OSError as the kernel has it."""
    words = [
        ctypes.c_long(one) if isinstance(one, int) else one  # pointers stay what they are
        for one in arguments
    ]
    libc.syscall.restype = ctypes.c_long
    result: int = libc.syscall(ctypes.c_long(_CALLS[name][0 if _X86 else 1]), *words)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def must(worked: object, why: str = "nothing came of it") -> None:
    if not worked:
        raise Stopped(why)


# ---- files of the host


def read_file(path: str) -> None:
    with open(path, "rb") as file:
        must(file.read(1))


def list_folder(path: str) -> None:
    must(os.listdir(path))


def write_below(path: str) -> None:
    name = os.path.join(path, "escaped")
    with open(name, "w", encoding="ascii") as file:
        file.write("escaped")
    os.unlink(name)


def append_to(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def change_mode(path: str) -> None:
    os.chmod(path, 0o777)  # noqa: S103 - the attempt


def change_times(path: str) -> None:
    os.utime(path, (1, 1))


def remove(path: str) -> None:
    os.rename(path, path + ".moved")
    os.rename(path + ".moved", path)


def write_through_hard_link(path: str) -> None:
    name = os.path.join(os.environ["PLACE"], "link")
    os.link(path, name)
    try:
        append_to(name)
    finally:
        os.unlink(name)


def read_through_symlink(path: str) -> None:
    name = os.path.join(os.environ["PLACE"], "symlink")
    os.symlink(path, name)
    try:
        read_file(name)
    finally:
        os.unlink(name)


def read_by_dots(path: str) -> None:
    read_file(os.environ["PLACE"] + "/.." * 40 + path)


def read_by_own_root(path: str) -> None:
    read_file("/proc/self/root" + path)


def read_by_first_root(path: str) -> None:
    read_file(f"/proc/{FIRST}/root{path}")


def read_by_first_directory(path: str) -> None:
    read_file(f"/proc/{FIRST}/cwd" + "/.." * 20 + path)


def leave_chroot(path: str) -> None:
    inner = os.path.join(os.environ["PLACE"], "jail")
    os.mkdir(inner)
    try:
        os.chroot(inner)
    except OSError:
        os.rmdir(inner)
        raise
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    read_file(path)


def open_by_handle(path: str) -> None:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    at = path if os.path.exists(path) else os.environ["PLACE"]
    call("name_to_handle_at", -100, at.encode(), handle, ctypes.byref(mount), 0)
    place = os.open(os.environ["PLACE"], os.O_RDONLY)
    call("open_by_handle_at", place, handle, os.O_RDONLY)


def open_for_writing(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY))


def host_names_at_root(names: str) -> None:
    must(set(names.split(",")) & set(os.listdir("/")))


def rename_out(path: str) -> None:
    name = os.path.join(os.environ["PLACE"], "leaving")
    with open(name, "w", encoding="ascii"):
        pass
    try:
        os.rename(name, path + "/left")
    except OSError:
        os.unlink(name)
        raise
    os.unlink(path + "/left")


def watch_file(path: str) -> None:
    call("inotify_add_watch", call("inotify_init1", 0), path.encode(), 2)  # IN_MODIFY


def watch_as_root(_: str) -> None:
    call("fanotify_init", 4, os.O_RDONLY)  # FAN_CLASS_CONTENT


# ---- facts of the machine


def mount_table(name: str) -> None:
    read_file(f"/proc/self/{name}")


def mount_table_of_first(name: str) -> None:
    read_file(f"/proc/{FIRST}/{name}")


def mount_by_number(_: str) -> None:
    """Without the number, the kernel says that it is wrong; where it has no such call, that."""
    try:
        call("statmount", 0, 0, 0, 0)
    except OSError as error:
        must(error.errno != errno.ENOSYS, "no such call")


def program_of_first(_: str) -> None:
    must(os.readlink(f"/proc/{FIRST}/exe"))


def descriptors_of_first(_: str) -> None:
    list_folder(f"/proc/{FIRST}/fd")


def limits_of_first(_: str) -> None:
    read_file(f"/proc/{FIRST}/limits")


def disk_identity(_: str) -> None:
    folder = os.open(os.environ["PLACE"], os.O_RDONLY)
    for request in (0x80111500, 0x8008662C, 0x8400941F, 0x8100587E):
        try:
            fcntl.ioctl(folder, request - (1 << 32), bytearray(1024))
        except OSError:
            continue
        return
    must(False, "it does not tell")


def change_kill_score(_: str) -> None:
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
        score = file.read()
        file.seek(0)
        file.write(score)


# ---- devices


def block_device(_: str) -> None:
    path = os.path.join(os.environ["PLACE"], "block")
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(259, 0))
    os.unlink(path)


def memory_device(_: str) -> None:
    path = os.path.join(os.environ["PLACE"], "mem")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 1))
    os.unlink(path)


def more_devices(_: str) -> None:
    plain = {"null", "zero", "full", "random", "urandom", "tty"}
    folders = {"pts", "shm", "fd", "stdin", "stdout", "stderr", "core", "ptmx", "console"}
    must(set(os.listdir("/dev")) - plain - folders, "only the plain ones")


def type_on_terminal(_: str) -> None:
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")  # TIOCSTI


def type_on_own_terminal(_: str) -> None:
    _, terminal = os.openpty()
    os.setsid()
    fcntl.ioctl(terminal, 0x540E, 0)  # TIOCSCTTY
    fcntl.ioctl(terminal, 0x5412, b"x")  # TIOCSTI


def open_device(paths: str) -> None:
    opened = 0
    for path in paths.split(","):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            opened += 1
        except OSError:
            continue
    must(opened, "none of them")


# ---- network


def _answer(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)
        must(one.recv(1) == b"!")


def tcp4(port: str) -> None:
    _answer(socket.AF_INET, ("127.0.0.1", int(port)))


def tcp4_any(port: str) -> None:
    _answer(socket.AF_INET, ("0.0.0.0", int(port)))  # noqa: S104 - connects to this host


def tcp6(port: str) -> None:
    _answer(socket.AF_INET6, ("::1", int(port)))


def abstract_socket(name: str) -> None:
    _answer(socket.AF_UNIX, "\0" + name)


def unix_socket(path: str) -> None:
    _answer(socket.AF_UNIX, path)


def udp(port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(1)
        one.connect(("127.0.0.1", int(port)))
        one.send(b"?")
        must(one.recv(1) == b"!")


def other_interfaces(_: str) -> None:
    must({name for _, name in socket.if_nameindex()} - {"lo"}, "lo alone")


def packet_socket(_: str) -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def raw_socket(_: str) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()


def virtual_machine_socket(_: str) -> None:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


def kernel_crypto_socket(_: str) -> None:
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()


def strange_families(_: str) -> None:
    for family in set(range(64)) - {1, 2, 10, 16}:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind).close()
            except OSError as error:
                if error.errno in {errno.EAFNOSUPPORT, errno.EINVAL}:
                    continue
            return
    must(False, "no family but the four")


# ---- processes


def see_process(pid: str) -> None:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        must(b"escape-victim" in file.read(), "that number is another process here")


def kill_process(pid: str) -> None:
    see_process(pid)
    os.kill(int(pid), signal.SIGUSR1)


def find_by_kill(pid: str) -> None:
    see_process(pid)
    os.kill(int(pid), 0)


def attach(pid: str) -> None:
    see_process(pid)
    call("ptrace", 0x4206, int(pid), 0, 0)  # PTRACE_SEIZE


def attach_by_number(pid: str) -> None:
    must(int(pid) not in {os.getpid(), os.getppid()})
    call("ptrace", 0x4206, int(pid), 0, 0)


def read_memory(pid: str) -> None:
    see_process(pid)
    with open(f"/proc/{pid}/mem", "rb"):
        pass


def steal_descriptor(pid: str) -> None:
    call("pidfd_getfd", call("pidfd_open", int(pid), 0), 0, 0)


def host_environment(pid: str) -> None:
    with open(f"/proc/{pid}/environ", "rb") as file:
        must(b"CANARY" in file.read())


def first_environment(_: str) -> None:
    host_environment(FIRST)


def shared_namespace(link: str) -> None:
    kind = link.partition(":")[0]
    must(os.readlink(f"/proc/self/ns/{kind}") == link, "another one")


def enter_namespace(link: str) -> None:
    kind = link.partition(":")[0]
    must(os.readlink(f"/proc/{FIRST}/ns/{kind}") == link, "the first process has another one")
    call("setns", os.open(f"/proc/{FIRST}/ns/{kind}", os.O_RDONLY), 0)


def many_processes(_: str) -> None:
    must(sum(name.isdecimal() for name in os.listdir("/proc")) > 4)


def attach_first(_: str) -> None:
    call("ptrace", 0x4206, int(FIRST), 0, 0)


def steal_from_first(_: str) -> None:
    call("pidfd_getfd", call("pidfd_open", int(FIRST), 0), 1, 0)


def read_memory_of_first(_: str) -> None:
    """Of an address that is nobody's: what is asked is whether the kernel would look."""
    here = struct.pack("QQ", ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    there = struct.pack("QQ", 8, 8)
    try:
        call("process_vm_readv", int(FIRST), here, 1, there, 1, 0)
    except OSError as error:
        must(error.errno == errno.EFAULT, str(error))


def pin(pid: str) -> None:
    see_process(pid)
    os.sched_setaffinity(int(pid), os.sched_getaffinity(int(pid)))


def limit(pid: str) -> None:
    see_process(pid)
    resource.prlimit(int(pid), resource.RLIMIT_CORE, (0, 0))


def slow_down(pid: str) -> None:
    see_process(pid)
    os.setpriority(os.PRIO_PROCESS, int(pid), os.getpriority(os.PRIO_PROCESS, int(pid)))


def shared_memory(key: str) -> None:
    call("shmget", int(key), 0, 0o600)


def semaphores(key: str) -> None:
    call("semget", int(key), 0, 0o600)


def message_queue(key: str) -> None:
    call("msgget", int(key), 0o600)


def posix_shared_memory(name: str) -> None:
    read_file("/dev/shm/" + name)  # noqa: S108 - the attempt


# ---- privileges


def capabilities(_: str) -> None:
    with open("/proc/self/status", encoding="ascii") as file:
        sets = [line.split()[1] for line in file if line.startswith("Cap")]
    must(any(int(one, 16) for one in sets), "none, and none to be had")


def new_privileges(_: str) -> None:
    must(libc.prctl(39, 0, 0, 0, 0) == 0, "no_new_privs is set")


def become_root(_: str) -> None:
    os.setuid(0)


def change_owner(_: str) -> None:
    path = os.path.join(os.environ["PLACE"], "owned")
    with open(path, "w", encoding="ascii"):
        pass
    try:
        os.chown(path, 12345, 12345)
    finally:
        os.unlink(path)


def mount_memory(_: str) -> None:
    place = os.environ["PLACE"].encode()
    call("mount", b"probe", place, b"tmpfs", 0, 0)
    call("umount2", place, 2)


def mount_by_new_calls(_: str) -> None:
    call("fsopen", b"tmpfs", 0)


def mount_by_context(_: str) -> None:
    call("fspick", -100, b"/", 0)


def clone_mounts(_: str) -> None:
    call("open_tree", -100, b"/", 1)


def _unshared_folder() -> bytes:
    """A folder that is a mount, in a mount namespace of this process."""
    call("unshare", 0x20000)
    place = os.environ["PLACE"].encode()
    call("mount", b"none", b"/", 0, 0x44000, 0)  # MS_REC | MS_PRIVATE
    call("mount", b"probe", place, b"tmpfs", 0, 0)
    return place


def move_mounts(_: str) -> None:
    place = _unshared_folder()
    call("move_mount", call("open_tree", -100, place, 1), b"", -100, place, 4)


def change_mounts(_: str) -> None:
    tree = call("open_tree", -100, b"/", 1)
    call("mount_setattr", tree, b"", 0x1000, struct.pack("4Q", 1, 0, 0, 0), 32)  # read-only


def exchange_root(_: str) -> None:
    place = _unshared_folder()
    os.mkdir(place + b"/old")
    call("pivot_root", place, place + b"/old")


def new_namespace(flag: str) -> None:
    call("unshare", int(flag, 16))


def join_group(_: str) -> None:
    os.setgroups([0])


def become_other(_: str) -> None:
    os.setresuid(1, 1, 1)


def rename_domain(_: str) -> None:
    with open("/proc/sys/kernel/domainname", "rb") as file:
        name = file.read().strip()
    call("setdomainname", name, len(name))  # to what it is


def adjust_clock(_: str) -> None:
    time_data = ctypes.create_string_buffer(256)
    call("adjtimex", time_data)
    struct.pack_into("I", time_data, 0, 0x4000)  # ADJ_TICK, to what it is
    call("adjtimex", time_data)


def lock_memory(_: str) -> None:
    size = 1 << 20
    call("mlock", ctypes.create_string_buffer(size), size)


def unload_module(_: str) -> None:
    try:
        call("delete_module", b"rvbuild_no_such_module", 0)
    except OSError as error:
        must(error.errno == errno.ENOENT, str(error))


def remount_writable(path: str) -> None:
    call("mount", b"none", path.encode(), 0, 0x20 | 0x1000, 0)  # MS_REMOUNT | MS_BIND


def uncover_proc(_: str) -> None:
    call("umount2", b"/proc/sys", 2)


def private_mounts(_: str) -> None:
    call("unshare", 0x20000)


def user_namespace(_: str) -> None:
    call("unshare", 0x10000000)


def user_namespace_by_clone(_: str) -> None:
    pid = call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def user_namespace_by_clone3(_: str) -> None:
    arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, *[0] * 6)
    pid = call("clone3", arguments, len(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def rename_host(_: str) -> None:
    name = os.uname().nodename.encode()
    call("sethostname", name, len(name))  # to what it is


def raise_limit(_: str) -> None:
    kind = resource.RLIMIT_NOFILE
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (hard, hard + 1))
    except ValueError as error:  # how Python spells EPERM here
        raise Stopped(str(error)) from error


def raise_priority(_: str) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, -5)


def real_time(_: str) -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def set_clock(_: str) -> None:
    call("clock_settime", 0, struct.pack("qq", int(time.time()), 0))


def load_module(_: str) -> None:
    call("init_module", b"", 0, b"")


def restart(_: str) -> None:
    call("reboot", 0, 0, 0, 0)


# ---- the kernel


def keyring_read(_: str) -> None:
    call("keyctl", 0, -3, 0)  # the session keyring's number


def keyring_add(_: str) -> None:
    call("add_key", b"user", b"escape-probe", b"x", 1, -3)


def key_search(_: str) -> None:
    call("request_key", b"user", b"escape-victim", 0, 0)


def kernel_log(_: str) -> None:
    call("syslog", 10, 0, 0)  # SYSLOG_ACTION_SIZE_BUFFER


def kernel_programs(_: str) -> None:
    call("bpf", 0, struct.pack("5I", 2, 4, 4, 1, 0) + bytes(100), 120)


def performance_counters(_: str) -> None:
    attributes = struct.pack("IIQQQQQ", 1, 128, 0, 0, 0, 0, 0x21) + bytes(80)
    call("perf_event_open", attributes, 0, -1, -1, 0)


def page_faults(_: str) -> None:
    call("userfaultfd", 1)


def rings(_: str) -> None:
    call("io_uring_setup", 1, ctypes.create_string_buffer(120))


# ---- what leaks in


def environment(name: str) -> None:
    must(os.environ.get(name))


def descriptors(_: str) -> None:
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if int(name) > 2 and not target.startswith("/proc/"):
            return
    must(False, "the standard three")


def host_name(name: str) -> None:
    must(name in {os.uname().nodename, socket.gethostname()})


def host_user(uid: str) -> None:
    must(os.getuid() == int(uid))


def paths_of_the_host(_: str) -> None:
    with open("/proc/1/cmdline", "rb") as file:
        options, _, _ = file.read().partition(b"\0--\0")
    must(b"/" in options, "no path in the options")


def ignored_signals(_: str) -> None:
    with open("/proc/self/status", encoding="ascii") as file:
        ignored = next(line.split()[1] for line in file if line.startswith("SigIgn"))
    must(int(ignored, 16) & 1 << (signal.SIGHUP - 1), "SIGHUP is not ignored")


# ---- too much


def hold_terminal_open(_: str) -> None:
    must(os.isatty(0) or os.isatty(1) or os.isatty(2))


def too_many_files(_: str) -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(20000)]
    must(len(held) == 20000)


def too_large_file(_: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = os.path.join(os.environ["PLACE"], "large")
    try:
        with open(path, "wb") as file:
            os.ftruncate(file.fileno(), 1 << 42)
    finally:
        os.unlink(path)


def core_dump(_: str) -> None:
    must(resource.getrlimit(resource.RLIMIT_CORE)[1] != 0)


def threads_without_end(_: str) -> None:
    gate = threading.Event()
    for _ in range(1000):
        threading.Thread(target=gate.wait, daemon=True).start()


def attempt(name: str, argument: str) -> str:
    """What came of one attempt: ``escaped``, or what stopped it, or how it is broken."""
    run: Callable[[str], None] = globals()[name]
    try:
        run(argument)
    except (OSError, Stopped) as error:
        return f"stopped: {error!r}"
    except BaseException as error:  # noqa: BLE001 - whatever it is, the probe proves nothing
        return f"broken: {error!r}"
    return "escaped"


def main() -> None:
    """Make each attempt in a process of its own; print a line of JSON for each."""
    for name, argument in json.loads(sys.argv[1]):
        if os.fork() == 0:
            os.write(1, json.dumps([name, argument, attempt(name, argument)]).encode() + b"\n")
            os._exit(0)
        os.wait()


if __name__ == "__main__":
    main()
