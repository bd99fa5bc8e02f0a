"""Ways out of the sandbox: each must work without it, and none may work inside.

The probes are in ``escape_probes.py``. Each is run twice: outside, where it has to succeed
(or it would prove nothing), and inside, where it has to be stopped.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import field, frozen

from rvbuild.cli.signals import unignore

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import HERE, PYTHON, Bench

pytestmark = pytest.mark.privileged

WORKS, AS_ROOT, MAYBE, HARMS = "works", "as root", "may work", "would do harm"
"""Outside: always; for root; depending on the kernel's settings; not tried."""

PROBES = [
    # name, argument (a field of Host), outside
    ("read_file", "/etc/passwd", WORKS),
    ("read_file", "/etc/hostname", MAYBE),
    ("read_file", "/etc/shadow", AS_ROOT),
    ("read_file", "{canary}", WORKS),
    ("read_file", "{built}", WORKS),
    ("read_file", "/proc/sys/kernel/../../../{canary}", WORKS),
    ("list_folder", "{folder}", WORKS),
    ("list_folder", "/sys", WORKS),
    ("list_folder", "/sys/fs/cgroup", MAYBE),
    ("list_folder", "/run", WORKS),
    ("host_names_at_root", "{top}", WORKS),
    ("write_below", "{folder}", WORKS),
    ("write_below", "/", HARMS),
    ("write_below", "/usr", HARMS),
    ("write_below", "/bin", HARMS),
    ("write_below", "/in", HARMS),
    ("write_below", "/in/probes", HARMS),
    ("write_below", "/dev", HARMS),
    ("write_below", "/proc", HARMS),
    ("append_to", "{probes}", WORKS),
    ("change_mode", "{probes}", HARMS),
    ("change_times", "{probes}", HARMS),
    ("remove", "{probes}", WORKS),
    ("write_through_hard_link", "{canary}", WORKS),
    ("write_through_hard_link", "{probes}", MAYBE),
    ("read_through_symlink", "{canary}", WORKS),
    ("read_by_dots", "{canary}", WORKS),
    ("read_by_own_root", "{canary}", WORKS),
    ("read_by_first_root", "{canary}", AS_ROOT),
    ("read_by_first_directory", "{canary}", AS_ROOT),
    ("leave_chroot", "{canary}", AS_ROOT),
    ("open_by_handle", "{canary}", AS_ROOT),
    ("open_for_writing", "/proc/sys/kernel/core_pattern", AS_ROOT),
    ("open_for_writing", "/proc/sys/kernel/hostname", AS_ROOT),
    ("open_for_writing", "/proc/sys/vm/drop_caches", AS_ROOT),
    ("open_for_writing", "/proc/sysrq-trigger", MAYBE),
    ("read_file", "/proc/kcore", MAYBE),
    ("read_file", "/proc/1/mem", HARMS),
    ("open_for_writing", "/proc/1/oom_score_adj", HARMS),
    ("block_device", "", AS_ROOT),
    ("memory_device", "", AS_ROOT),
    ("read_file", "/dev/mem", MAYBE),
    ("read_file", "/dev/kmsg", MAYBE),
    ("more_devices", "", WORKS),
    ("type_on_terminal", "", MAYBE),
    ("tcp4", "{tcp4}", WORKS),
    ("tcp4_any", "{tcp4}", WORKS),
    ("tcp6", "{tcp6}", MAYBE),
    ("udp", "{udp}", WORKS),
    ("abstract_socket", "{abstract}", WORKS),
    ("unix_socket", "{unix}", WORKS),
    ("other_interfaces", "", MAYBE),
    ("packet_socket", "", AS_ROOT),
    ("raw_socket", "", AS_ROOT),
    ("virtual_machine_socket", "", MAYBE),
    ("kernel_crypto_socket", "", MAYBE),
    ("strange_families", "", MAYBE),
    ("see_process", "{victim}", WORKS),
    ("kill_process", "{victim}", WORKS),
    ("find_by_kill", "{victim}", WORKS),
    ("attach", "{victim}", MAYBE),
    ("attach_by_number", "{victim}", MAYBE),
    ("read_memory", "{victim}", MAYBE),
    ("steal_descriptor", "{victim}", MAYBE),
    ("host_environment", "{victim}", WORKS),
    ("first_environment", "", WORKS),
    *((("shared_namespace"), f"{{ns_{kind}}}", WORKS)
      for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")),
    *((("enter_namespace"), f"{{ns_{kind}}}", AS_ROOT) for kind in ("net", "ipc", "uts")),
    ("many_processes", "", WORKS),
    ("shared_memory", "{key}", WORKS),
    ("semaphores", "{semaphore}", WORKS),
    ("message_queue", "{queue}", WORKS),
    ("posix_shared_memory", "{shm}", WORKS),
    ("capabilities", "", WORKS),
    ("new_privileges", "", MAYBE),
    ("become_root", "", AS_ROOT),
    ("change_owner", "", AS_ROOT),
    ("mount_memory", "", AS_ROOT),
    ("mount_by_new_calls", "", AS_ROOT),
    ("remount_writable", "/usr", HARMS),
    ("remount_writable", "/in/probes", HARMS),
    ("remount_writable", "/", HARMS),
    ("remount_writable", "/proc/sys", HARMS),
    ("uncover_proc", "", HARMS),
    ("private_mounts", "", AS_ROOT),
    ("user_namespace", "", WORKS),
    ("user_namespace_by_clone", "", WORKS),
    ("user_namespace_by_clone3", "", WORKS),
    ("rename_host", "", AS_ROOT),
    ("raise_limit", "", MAYBE),
    ("raise_priority", "", AS_ROOT),
    ("real_time", "", MAYBE),
    ("set_clock", "", HARMS),
    ("load_module", "", HARMS),
    ("restart", "", HARMS),
    ("keyring_read", "", MAYBE),
    ("keyring_add", "", MAYBE),
    ("key_search", "", MAYBE),
    ("kernel_log", "", MAYBE),
    ("kernel_programs", "", MAYBE),
    ("performance_counters", "", MAYBE),
    ("page_faults", "", MAYBE),
    ("rings", "", MAYBE),
    ("environment", "RVBUILD_CANARY", WORKS),
    ("environment", "LD_PRELOAD", MAYBE),
    ("environment", "HOME", WORKS),
    ("environment", "USER", MAYBE),
    ("descriptors", "", WORKS),
    ("host_name", "{host_name}", WORKS),
    ("host_user", "{uid}", WORKS),
    ("paths_of_the_host", "", MAYBE),
    ("ignored_signals", "", MAYBE),
    *(("read_file", f"/proc/{name}", WORKS)
      for name in ("cmdline", "devices", "filesystems", "interrupts", "kallsyms", "locks",
                   "partitions", "softirqs", "swaps", "vmstat", "zoneinfo",
                   "sys/kernel/random/boot_id", "sys/kernel/random/uuid", "sys/vm/swappiness",
                   "sys/fs/file-nr", "sys/kernel/core_pattern")),
    *(("read_file", path, MAYBE)
      for path in ("/proc/modules", "/proc/config.gz", "/proc/kmsg", "/proc/iomem", "/proc/keys",
                   "/proc/slabinfo", "/proc/timer_list", "/proc/diskstats", "/proc/mdstat",
                   "/etc/machine-id", "/var/lib/dbus/machine-id")),
    *(("list_folder", f"/proc/{name}", WORKS) for name in ("bus", "fs", "irq", "tty")),
    *(("list_folder", f"/proc/{name}", MAYBE) for name in ("acpi", "driver", "pressure", "scsi")),
    *((probe, name, WORKS) for probe in ("mount_table", "mount_table_of_first")
      for name in ("mountinfo", "mounts", "mountstats")),
    ("mount_by_number", "", MAYBE),
    ("program_of_first", "", WORKS),
    ("descriptors_of_first", "", WORKS),
    ("limits_of_first", "", WORKS),
    ("attach_first", "", AS_ROOT),
    ("steal_from_first", "", AS_ROOT),
    ("read_memory_of_first", "", AS_ROOT),
    ("disk_identity", "", MAYBE),
    ("change_kill_score", "", WORKS),
    ("rename_out", "{folder}", WORKS),
    ("watch_file", "{canary}", WORKS),
    ("watch_as_root", "", AS_ROOT),
    ("type_on_own_terminal", "", AS_ROOT),
    ("open_device", "/dev/loop-control,/dev/fuse,/dev/net/tun,/dev/kvm,/dev/kmsg,/dev/port", MAYBE),
    ("open_for_writing", "/proc/sys/net/ipv4/ip_forward", AS_ROOT),
    ("open_for_writing", "/proc/sys/kernel/panic", AS_ROOT),
    ("open_for_writing", "/proc/sys/vm/overcommit_memory", AS_ROOT),
    ("open_for_writing", "/proc/sys/fs/binfmt_misc/register", MAYBE),
    ("open_for_writing", "/sys/kernel/uevent_helper", MAYBE),
    ("pin", "{victim}", WORKS),
    ("limit", "{victim}", WORKS),
    ("slow_down", "{victim}", WORKS),
    ("mount_by_context", "", AS_ROOT),
    ("clone_mounts", "", AS_ROOT),
    ("move_mounts", "", AS_ROOT),
    ("change_mounts", "", AS_ROOT),
    ("exchange_root", "", AS_ROOT),
    *(("new_namespace", flag, AS_ROOT)  # mount, control group, uts, ipc, pid, net
      for flag in ("0x20000", "0x2000000", "0x4000000", "0x8000000", "0x20000000", "0x40000000")),
    ("join_group", "", AS_ROOT),
    ("become_other", "", AS_ROOT),
    ("rename_domain", "", AS_ROOT),
    ("adjust_clock", "", AS_ROOT),
    ("lock_memory", "", AS_ROOT),
    ("unload_module", "", MAYBE),
    ("hold_terminal_open", "", MAYBE),
    ("too_many_files", "", MAYBE),
    ("too_large_file", "", MAYBE),
    ("core_dump", "", MAYBE),
]  # fmt: skip


TOOLBOX = {"bin", "lib", "lib64", "usr", "in", "build", "tmp", "dev", "proc", PYTHON.split("/")[1]}
"""What may be at the root inside: the contract, and where this Python is."""


@frozen(kw_only=True)
class Host:
    """Things of this machine that a probe tries to reach, each by its text."""

    folder: Path
    things: dict[str, str]
    victim: subprocess.Popen[bytes] = field(repr=False)


def _serve(server: socket.socket) -> None:
    """Give ``!`` to whoever connects, until the socket is shut down."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"!")


def _serve_datagrams(server: socket.socket) -> None:
    while True:
        data, address = server.recvfrom(10)
        if data == b"stop":
            return
        server.sendto(b"!", address)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Listening sockets of each kind, by their names."""
    path = str(tmp_path_factory.mktemp("socket") / "s")
    abstract = f"rvbuild-test-{os.getpid()}"
    listening = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_INET6, ("::1", 0)),
        (socket.AF_UNIX, path),
        (socket.AF_UNIX, "\0" + abstract),
    ):
        server = socket.socket(family, socket.SOCK_STREAM)
        listening.append(server)
        server.bind(address)
        server.listen()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    threads = [threading.Thread(target=_serve, args=(one,)) for one in listening]
    threads.append(threading.Thread(target=_serve_datagrams, args=(udp,)))
    for thread in threads:
        thread.start()
    ports = [str(one.getsockname()[1]) for one in (*listening[:2], udp)]
    yield dict(zip(("tcp4", "tcp6", "udp"), ports, strict=True), unix=path, abstract=abstract)
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
    udp.sendto(b"stop", udp.getsockname())
    for thread in threads:
        thread.join()
    for server in (*listening, udp):
        server.close()


@pytest.fixture(scope="module")
def segments() -> Iterator[dict[str, str]]:
    """System V objects and a POSIX shared memory file of this machine."""
    libc = ctypes.CDLL(None)
    key = 0x52560000 + os.getpid() % 60000
    made = [libc.shmget(key, 4096, 0o1600), libc.semget(key, 1, 0o1600), libc.msgget(key, 0o1600)]
    assert all(one >= 0 for one in made)
    shm = Path(f"/dev/shm/rvbuild-test-{os.getpid()}")  # noqa: S108 - what the probe looks for
    shm.write_bytes(b"canary")
    yield {"key": str(key), "semaphore": str(key), "queue": str(key), "shm": shm.name}
    libc.shmctl(made[0], 0, None)
    libc.semctl(made[1], 0, 0)
    libc.msgctl(made[2], 0, None)
    shm.unlink()


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, servers: dict[str, str], segments: dict[str, str]
) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    canary = folder / "canary"
    canary.write_text("canary")
    sleep = "import sys, time; print(1, flush=True); time.sleep(600)"
    victim = subprocess.Popen(
        [PYTHON, "-I", "-c", f"import signal; signal.signal(10, signal.SIG_IGN); {sleep}",
         "escape-victim"],
        stdout=subprocess.PIPE, env={"CANARY": "secret"},
    )  # fmt: skip
    assert victim.stdout
    victim.stdout.readline()
    kinds = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
    things = {
        "canary": str(canary),
        "folder": str(folder),
        "top": ",".join(set(os.listdir("/")) - TOOLBOX),
        "victim": str(victim.pid),
        "host_name": os.uname().nodename,
        "uid": str(os.getuid()),
        **{f"ns_{kind}": os.readlink(f"/proc/self/ns/{kind}") for kind in kinds},
        **servers,
        **segments,
    }
    yield Host(folder=folder, things=things, victim=victim)
    assert victim.poll() is None
    victim.kill()
    victim.wait()
    victim.stdout.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench.at(tmp_path_factory.mktemp("bench"))


Attempts = list[tuple[str, str]]
Results = dict[tuple[str, str], str]


@contextmanager
def canaries(host: Host) -> Iterator[None]:
    """An environment and an open file that must not get inside."""
    held = os.open(host.things["canary"], os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)  # or /proc/locks may be empty
    os.set_inheritable(held, True)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RVBUILD_CANARY", "USER", "HOME"):
            patch.setenv(name, os.environ.get(name, "canary"))
        yield
    os.close(held)


def read(lines: str) -> Results:
    told = [json.loads(line) for line in lines.splitlines()]
    return {(name, argument): result for name, argument, result in told}


def outside(attempts: Attempts, host: Host) -> Results:
    things = {"PLACE": str(host.folder), "FIRST": host.things["victim"]}
    ended = subprocess.run(
        [PYTHON, str(HERE / "escape_probes.py"), json.dumps(attempts)],
        env={**os.environ, **things},
        stdout=subprocess.PIPE,
        close_fds=False,
        check=True,
        text=True,
        timeout=100,
    )
    return read(ended.stdout)


def inside(attempts: Attempts, bench: Bench) -> Results:
    outcome = bench.run(PYTHON, "/in/probes/escape_probes.py", json.dumps(attempts))
    assert outcome.exit_code == 0, bench.log(outcome)
    return read(bench.log(outcome))


@pytest.fixture(scope="module")
def results(host: Host, bench: Bench) -> dict[int, tuple[str | None, str]]:
    """What came of each probe outside (None if it was not tried) and inside."""
    copy = host.folder / "copy"
    copy.write_text("x")
    out_things = {**host.things, "probes": str(copy), "built": host.things["canary"]}
    in_things = {
        **host.things,
        "probes": "/in/probes/escape_probes.py",
        "built": bench.store.layout.root,
    }
    out = [(name, given.format_map(out_things)) for name, given, _ in PROBES]
    in_ = [(name, given.format_map(in_things)) for name, given, _ in PROBES]
    with canaries(host):
        tried = [one for one, (_, _, how) in zip(out, PROBES, strict=True) if how != HARMS]
        of_out, of_in = outside(tried, host), inside(in_, bench)
    return {i: (of_out.get(out[i]), of_in[in_[i]]) for i in range(len(PROBES))}


def identify(number: int) -> str:
    name, argument, _ = PROBES[number]
    return f"{name}-{argument.replace('/', '_')}" if argument else name


@pytest.mark.parametrize("number", range(len(PROBES)), ids=identify)
def test_no_way_out(number: int, results: dict[int, tuple[str | None, str]]):
    """The attempt works outside, so that it means something, and is stopped inside."""
    of_out, of_in = results[number]
    how = PROBES[number][2]
    if how == WORKS or (how == AS_ROOT and os.geteuid() == 0):
        assert of_out == "escaped"
    assert of_in.startswith("stopped: ")


def test_there_are_enough_probes(results: dict[int, tuple[str | None, str]]):
    """The bar: at least 60 that were seen to work outside, and are stopped inside."""
    seen = [number for number, (of_out, _) in results.items() if of_out == "escaped"]
    assert len(seen) >= (120 if os.geteuid() == 0 else 60)


def test_ignored_signals_stay_outside(bench: Bench):
    """A program under nohup runs steps that do not ignore the hangup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        unignore()
        results = inside([("ignored_signals", "")], bench)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert results["ignored_signals", ""] == "stopped: Stopped('SIGHUP is not ignored')"
