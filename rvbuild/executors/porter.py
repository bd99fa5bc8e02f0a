"""What becomes bwrap for root's steps: it brings the sources within reach, and leaves root.

Knows: mounts and ids, and the system calls for them. Must not know: bubblewrap's options,
what a sandbox is for.

An id without rights may reach nothing of the store, which may lie below a folder of mode
0700. So the porter binds each source below ``STAGE`` in a mount namespace of its own, copies
bwrap and its libraries there, and takes the id. It is a program of system calls because a
forked Python that did the same made a trivial step 1.8 ms longer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from attrs import frozen

from rvbuild.core.errors import SandboxError
from rvbuild.executors.identity import Identity
from rvbuild.executors.machine_code import Call
from rvbuild.executors.program import Program

STAGE = "/tmp"  # noqa: S108 - covered by a tmpfs that only this process and bwrap see
REPORT = 0  # descriptors
_FIRST = 3

Pairs = Sequence[tuple[str, str]]
"""Names below the stage, each with a path of this machine."""

_HERE = -100  # AT_FDCWD
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
_NOSUID, _NODEV, _RECURSIVE, _SLAVE = 2, 4, 16384, 1 << 19  # mount(2)
_NO_FOLLOW, _WHOLE = 0x100, 0x8000  # AT_SYMLINK_NOFOLLOW, AT_RECURSIVE
_CLONE_TREE = 1 | os.O_CLOEXEC | _NO_FOLLOW | _WHOLE  # OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
_FROM_DESCRIPTOR = 4  # MOVE_MOUNT_F_EMPTY_PATH
_CLOEXEC = os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CLOEXEC
_SET_DEATH_SIGNAL, _KILL = 1, 9  # prctl(2)


@frozen
class Porter(Program):
    """Starts a program that it copies to the stage, as somebody else."""

    @classmethod
    def to(cls, owner: Identity, sources: Pairs, files: Pairs) -> Porter:
        """For steps of ``owner``'s, with ``sources`` bound and ``files`` copied.

        Raises:
            SandboxError: something is not there, or none can be made for this machine.
        """
        try:
            return cls.of(tuple(_calls(owner, sources, files)), REPORT)
        except OSError as error:
            msg = f"bubblewrap could not be started: {error}"
            raise SandboxError(msg) from error

    @property
    def descriptors(self) -> int:
        """How many numbers from 3 on must be free."""
        return sum(call.name in {"open_tree", "openat"} for call in self.calls)


def _calls(owner: Identity, sources: Pairs, files: Pairs) -> Iterator[Call]:
    """What it does, in order.

    Sources are cloned before the namespace is another one: their paths may lead by ``/proc`` into
    the process that asked, whose mounts are those of the old one.
    """
    for _, path in sources:
        yield Call("open_tree", (_HERE, _text(path), _CLONE_TREE))
    yield Call("unshare", (_NEW_MOUNTS,))
    yield Call("mount", (0, _text("/"), 0, _RECURSIVE | _SLAVE, 0))
    for _, path in files:  # before the stage may cover them
        yield Call("openat", (_HERE, _text(path), os.O_RDONLY | _CLOEXEC, 0))
    options = (_NOSUID | _NODEV, _text("mode=0755"))
    yield Call("mount", (_text("rvbuild"), _text(STAGE), _text("tmpfs"), *options))
    free = _FIRST + len(sources) + len(files)
    for number, (name, path) in enumerate(sources, _FIRST):
        yield from _placed(number, path, f"{STAGE}/{name}", free)
    yield from _copied(files, _FIRST + len(sources), free)
    yield from _left_root(owner)


def _placed(number: int, path: str, target: str, free: int) -> Iterator[Call]:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        yield Call("mkdirat", (_HERE, _text(target), 0o755))
    else:
        yield Call("openat", (_HERE, _text(target), _CREATE, 0o644))
        yield Call("close", (free,))
    yield Call("move_mount", (number, _text(""), _HERE, _text(target), _FROM_DESCRIPTOR))


def _copied(files: Pairs, first: int, free: int) -> Iterator[Call]:
    """The program: its file, or a folder above it, may be closed to the owner."""
    for folder in _folders(name for name, _ in files):
        yield Call("mkdirat", (_HERE, _text(f"{STAGE}/{folder}"), 0o755))
    for number, (name, path) in enumerate(files, first):
        yield Call("openat", (_HERE, _text(f"{STAGE}/{name}"), _CREATE, 0o755))
        yield Call("sendfile", (free, number, 0, os.stat(path).st_size))
        yield Call("close", (free,))


def _folders(names: Iterator[str]) -> list[str]:
    """All folders above them, each after the one that it is in."""
    parts = [name.split("/")[:-1] for name in names]
    return sorted({"/".join(one[:end]) for one in parts for end in range(1, len(one) + 1)})


def _left_root(owner: Identity) -> Iterator[Call]:
    uid, gid = owner.uid, owner.gid
    yield Call("setgroups", (0, 0))
    yield Call("setresgid", (gid, gid, gid))
    yield Call("setresuid", (uid, uid, uid))
    yield Call("prctl", (_SET_DEATH_SIGNAL, _KILL, 0, 0, 0))  # a change of id clears it


def _text(text: str) -> bytes:
    return os.fsencode(text) + b"\0"
