"""The folder of one step: its ``/build`` and ``/tmp``, made before and removed after.

Knows: files. Must not know: actions, sandboxes, stores.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from rvbuild.core.errors import StoreError
from rvbuild.executors.identity import Identity
from rvbuild.files.folder import open_file

MTIME = 315_532_800
"""1980-01-01T00:00:00Z, in seconds: what copied inputs bear, as the store's own trees do.
Equal times keep make from rebuilding what a release ships ready-made."""

_CHUNK = 1 << 30


def make(parent: str, owner: Identity | None = None) -> str:
    """A new folder that only its owner can enter (a setuid file in it is out of reach).

    Args:
        parent: Where it is made.
        owner: Whose it is, if not this user's.

    Raises:
        StoreError: it could not be made.
    """
    try:
        return _make(parent, owner)
    except OSError as error:
        msg = f"could not make a step's folder: {error.strerror}"
        hint = "free some space with `rvbuild gc`, or use another store with --store"
        raise StoreError(msg, where=parent, hint=hint) from error


def _make(parent: str, owner: Identity | None) -> str:
    os.makedirs(parent, 0o755, exist_ok=True)
    while True:
        folder = os.path.join(parent, f"step-{os.urandom(8).hex()}")
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue
        for name, mode in (("build", 0o755), ("build/out", 0o755), ("tmp", 0o1777)):
            path = os.path.join(folder, name)
            os.mkdir(path, mode)
            if stat.S_IMODE(os.stat(path).st_mode) != mode:  # the umask took some of it
                os.chmod(path, mode)
            if owner:
                os.chown(path, owner.uid, owner.gid)
        if owner:
            os.chown(folder, owner.uid, owner.gid)
        return folder


def copy(source: str, target: str, owner: Identity | None = None) -> None:
    """A writable copy of a tree of the store at ``target``, which must not exist yet.

    Contents are shared with the original where the file system can (reflinks), never by
    hard links. Modes are 0755 and 0644; times are ``MTIME``; all is ``owner``'s.

    Raises:
        StoreError: reading or writing failed.
    """
    try:
        _parents(target, owner)
        _copy(source, target, owner)
    except OSError as error:
        msg = f"could not copy an input that the step may write: {error}"
        raise StoreError(msg, where=target) from error


def _parents(target: str, owner: Identity | None) -> None:
    above = os.path.dirname(target)
    if not os.path.isdir(above):
        _parents(above, owner)
        os.mkdir(above)
        if owner:
            os.chown(above, owner.uid, owner.gid)


def _copy(source: str, target: str, owner: Identity | None) -> None:
    made: list[str] = []
    stack = [(source, target)]
    while stack:
        here, there = stack.pop()
        os.mkdir(there)
        made.append(there)
        for entry in _entries(here):
            to = os.path.join(there, entry.name)
            if entry.is_symlink():
                _copy_link(entry.path, to, owner)
            elif entry.is_dir():
                stack.append((entry.path, to))
            else:
                _copy_file(entry.path, to, owner)
    for folder in made:
        os.chmod(folder, 0o755)  # noqa: S103 - as 0644 for files: a private folder holds it
        os.utime(folder, (MTIME, MTIME))
        if owner:
            os.chown(folder, owner.uid, owner.gid)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _copy_link(source: str, target: str, owner: Identity | None) -> None:
    os.symlink(os.readlink(source), target)
    os.utime(target, (MTIME, MTIME), follow_symlinks=False)
    if owner:
        os.chown(target, owner.uid, owner.gid, follow_symlinks=False)


def _copy_file(source: str, target: str, owner: Identity | None) -> None:
    reader = open_file(source)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        try:
            status = os.fstat(reader)
            _copy_bytes(reader, writer, status.st_size)
            os.fchmod(writer, 0o755 if status.st_mode & 0o100 else 0o644)
            os.utime(writer, (MTIME, MTIME))
            if owner:
                os.fchown(writer, owner.uid, owner.gid)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_bytes(reader: int, writer: int, size: int) -> None:
    left = size
    try:
        while left and (done := os.copy_file_range(reader, writer, min(left, _CHUNK))):
            left -= done
    except OSError:  # another file system, or one that cannot
        while left and (done := os.sendfile(writer, reader, size - left, min(left, _CHUNK))):
            left -= done
    if left:
        msg = f"file ended {left} bytes early"
        raise OSError(msg)
