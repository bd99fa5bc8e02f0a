"""Whether this machine can run sealed steps: what `rvbuild doctor` shows.

Knows: what the local executor needs. Must not know: how it is shown.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import RvbuildError, SandboxError
from rvbuild.executors import bwrap, identity, seccomp, step_folder
from rvbuild.executors.accelerators import Accelerator
from rvbuild.executors.bwrap_errors import hint_for
from rvbuild.executors.keeper import Keeper
from rvbuild.executors.limits import Limits
from rvbuild.executors.local_executor import staged
from rvbuild.executors.sandbox import Launch, Sandbox
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.threshold import Threshold
from rvbuild.executors.watch import Watch
from rvbuild.files.folder import nearest

_OLDEST_BWRAP = (0, 5)  # --clearenv, --perms
_OLDEST_GIT = (2, 25)
_ROOM_NEEDED = 1_000_000_000  # bytes: what unpacks a toolchain
_ROOM_WANTED = 10_000_000_000  # bytes: a cold build of K3s, with its compile cache
_SECONDS = 20
_PROC = "/proc/self/uid_map"
_MOUNT_PROC = "mount it: `mount -t proc proc /proc`, or let your container have one"
_UNUSUAL = "see what is at that path, and whether you may read and write it"
_WHERE_LAYERS_ARE = (
    "they need Linux 5.11, bubblewrap 0.11 and a file system that takes overlays, such as a"
    " volume in the place of a container's own layer"
)


Look = Callable[[str], None]
"""Raises an RvbuildError that says what is wrong with a folder, and what to do."""


@frozen(kw_only=True)
class MachineCheck:
    """One thing looked at.

    ``hint`` says what to do if it is not ``ok``; beside ``ok``, what large builds may lack.
    """

    name: str
    ok: bool
    found: str
    hint: Hint = ""


def checks(folder: str, store: Sequence[Look] = ()) -> tuple[MachineCheck, ...]:
    """Look at everything.

    Args:
        folder: The store, which may not be there: looking makes none.
        store: What looks whether the folder fits a store.
    """
    looks: tuple[tuple[str, Callable[[], MachineCheck]], ...] = (
        ("bubblewrap", _bubblewrap),
        ("/proc", _proc),
        ("user namespaces", partial(_namespaces, folder)),
        ("ids of steps", partial(_ids, folder)),
        ("compile caches", partial(_accelerators, folder)),
        ("kernel", _kernel),
        ("store", partial(_store, folder, store)),
        ("disk space", partial(_disk, folder)),
        ("git", _git),
    )
    return tuple(_looked(name, look) for name, look in looks)


def _looked(name: str, look: Callable[[], MachineCheck]) -> MachineCheck:
    """What a look found; that it could not be taken is a finding, too."""
    try:
        return look()
    except OSError as error:
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        found = f"it cannot be looked at: {error.strerror or error}{where}"
        return MachineCheck(name=name, ok=False, found=found, hint=_hint_without_proc() or _UNUSUAL)


def _hint_without_proc() -> str:
    return "" if os.path.exists(_PROC) else _MOUNT_PROC


def _proc() -> MachineCheck:
    """The kernel tells there who a process is; sandboxes are made with it."""
    hint = _hint_without_proc()
    return MachineCheck(
        name="/proc", ok=not hint, found="not mounted" if hint else "mounted", hint=hint
    )


def _store(folder: str, looks: Sequence[Look]) -> MachineCheck:
    at = _steps_in(folder)
    for look in looks:
        try:
            look(at)
        except RvbuildError as error:
            found = f"{error.message} at {at}"
            return MachineCheck(name="store", ok=False, found=found, hint=error.hint or "")
    found = f"steps can write and run programs at {at}"
    return MachineCheck(name="store", ok=True, found=found)


def _bubblewrap() -> MachineCheck:
    name = "bubblewrap"
    try:
        path = bwrap.find()
    except SandboxError as error:
        return MachineCheck(name=name, ok=False, found="missing", hint=error.hint or "")
    said = _said((path, "--version"))
    fits = (_version(said) or (0,)) >= _OLDEST_BWRAP
    hint = "" if fits else bwrap.INSTALL_HINT
    return MachineCheck(name=name, ok=fits, found=f"{said or 'does not run'} at {path}", hint=hint)


def _namespaces(folder: str) -> MachineCheck:
    """Make a real sandbox, where steps have theirs; nothing else tells."""
    name = "user namespaces"
    try:
        said = _refusal(_steps_in(folder), {})
    except SandboxError as error:
        return MachineCheck(name=name, ok=False, found=str(error), hint=error.hint or "")
    if said:
        return MachineCheck(name=name, ok=False, found=said, hint=hint_for(said))
    return MachineCheck(name=name, ok=True, found=f"a sandbox can be made, {_whose()}")


def _whose() -> str:
    if os.geteuid() != 0:
        return "as this user"
    return "as an id without rights" if identity.pool() else "as root: there is no other id here"


def _ids(folder: str) -> MachineCheck:
    """Make a step's folder, as a build does: that is where a file system refuses."""
    name = "ids of steps"
    if identity.pool() is None:
        found = "root alone is here" if os.geteuid() == 0 else "whoever starts rvbuild"
        return MachineCheck(name=name, ok=True, found=found)
    try:
        with tempfile.TemporaryDirectory(dir=_steps_in(folder)) as top:
            _try_id(top)
    except (OSError, RvbuildError) as error:
        hint = getattr(error, "hint", None) or "the folder of the store must be writable"
        return MachineCheck(name=name, ok=False, found=str(error), hint=hint)
    return MachineCheck(
        name=name,
        ok=True,
        found="steps have ones without rights; with a compile cache, a common one",
    )


def _try_id(folder: str) -> None:
    pool = identity.pool(folder)
    with pool.own() if pool else nullcontext() as owner:
        step_folder.make(os.path.join(folder, "steps"), owner).remove(lambda: None)


def _accelerators(folder: str) -> MachineCheck:
    """Make a sandbox with a layer over a folder; without it, builds are right and slower."""
    name = "compile caches"
    pool = identity.pool()
    try:
        with tempfile.TemporaryDirectory(dir=_steps_in(folder)) as top:
            accelerator = Accelerator(f"{top}/caches/one", pool.common if pool else None)
            with accelerator.mounted(f"{top}/over") as layer:
                said = _refusal(top, {"/tmp": layer.overlay})  # noqa: S108 - a path inside
    except (OSError, SandboxError) as error:
        said = str(error)
    found = "steps can have a layer of their own over them"
    if said:
        found = f"none, so builds are slower: {said} ({_WHERE_LAYERS_ARE})"
    return MachineCheck(name=name, ok=True, found=found)


def _refusal(folder: str, overlays: Mapping[str, bwrap.Overlay]) -> str:
    """Why a sandbox like that of a step does not run in ``folder``; empty if it does."""
    limits = Limits()
    room = bwrap.SandboxView(
        environment={}, working_directory="/", read_only={"/": "/"}, overlays=overlays
    )
    log = StepLog(lambda _: None, limits.log_bytes)
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        pool = identity.pool(empty)
        with pool.shared() if pool else nullcontext() as owner:
            asked, options = staged(bwrap.find(), ("/bin/sh", "-c", ":"), owner, room)
            seal, threshold = seccomp.program(), Threshold.to("/")
            launch = Launch(request=asked, options=options, seal=seal, threshold=threshold)
            keeper = Keeper(limits.table())  # which ends what it started when it goes
            sandbox = Sandbox(keeper, launch)
            sandbox.processes()  # a step's are counted all the time, and this may be forbidden
            ended = Watch(sandbox, log, limits, _SECONDS, empty).follow()
    said = log.close().decode(errors="replace").strip()
    return "" if ended.exit_code == 0 else said or f"exit code {ended.exit_code}"


def _kernel() -> MachineCheck:
    name, found = "kernel", f"Linux {os.uname().release} on {os.uname().machine}"
    try:
        seccomp.program()
        os.close(os.pidfd_open(os.getpid()))
    except SandboxError as error:
        return MachineCheck(name=name, ok=False, found=found, hint=error.hint or "")
    except OSError:
        return MachineCheck(name=name, ok=False, found=found, hint="Linux 5.9 or later is needed")
    return MachineCheck(name=name, ok=True, found=found)


def _steps_in(folder: str) -> str:
    """Where steps would run, as far as it is there: nothing of ours lies in the store itself."""
    return nearest(os.path.join(folder, "tmp"), os.path.exists)


def _disk(folder: str) -> MachineCheck:
    at = nearest(folder, os.path.exists)
    status = os.statvfs(at)
    free = status.f_bavail * status.f_frsize
    return MachineCheck(
        name="disk space",
        ok=free >= _ROOM_NEEDED,
        found=f"{free / 1e9:.1f} GB free at {at}",
        hint="" if free >= _ROOM_WANTED else advise("large builds want 10 GB: ", Remedy.COLLECT),
    )


def _git() -> MachineCheck:
    path = shutil.which("git")
    said = _said((path, "--version")) if path else ""
    fits = (_version(said) or (0,)) >= _OLDEST_GIT
    return MachineCheck(
        name="git",
        ok=fits,
        found=said or "missing",
        hint="" if fits else "git sources without an archive download need git 2.25 or later",
    )


def _said(command: Iterable[str]) -> str:
    ended = _ran(tuple(command))
    return ended.stdout.strip() if ended and ended.returncode == 0 else ""


def _ran(command: tuple[str, ...]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(  # noqa: S603 - no shell; the program is bwrap or git
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _version(said: str) -> tuple[int, ...] | None:
    found = re.search(r"(\d+)\.(\d+)", said)
    return tuple(int(one) for one in found.groups()) if found else None
