"""The folder of one step: its ``/build`` and ``/tmp``, made before and removed after.

Knows: files. Must not know: actions, sandboxes, stores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from rvbuild.core.errors import StoreError

MTIME = 315_532_800
"""1980-01-01T00:00:00Z, in seconds: what copied inputs bear, as the store's own trees do.
Equal times keep make from rebuilding what a release ships ready-made."""

_CHUNK = 1 << 30


def make(parent: str) -> str:
    """A new folder that only this user can enter (a setuid file in it is out of reach)."""
    os.makedirs(parent, exist_ok=True)
    while True:
        folder = os.path.join(parent, f"step-{os.urandom(8).hex()}")
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            continue
        for name, mode in (("build", 0o755), ("build/out", 0o755), ("tmp", 0o1777)):
            path = os.path.join(folder, name)
            os.mkdir(path)
            os.chmod(path, mode)  # whatever the umask is
        return folder


def copy(source: str, target: str) -> None:
    """A writable copy of a tree of the store at ``target``, which must not exist yet.

    Contents are shared with the original where the file system can (reflinks), never by
    hard links. Modes are 0755 and 0644; times are ``MTIME``.

    Raises:
        StoreError: reading or writing failed.
    """
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        _copy(source, target)
    except OSError as error:
        msg = f"could not copy an input that the step may write: {error}"
        raise StoreError(msg, where=target) from error


def _copy(source: str, target: str) -> None:
    made: list[str] = []
    stack = [(source, target)]
    while stack:
        here, there = stack.pop()
        os.mkdir(there)
        made.append(there)
        for entry in _entries(here):
            to = os.path.join(there, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), to)
                os.utime(to, (MTIME, MTIME), follow_symlinks=False)
            elif entry.is_dir():
                stack.append((entry.path, to))
            else:
                _copy_file(entry.path, to)
    for folder in made:
        os.chmod(folder, 0o755)  # noqa: S103 - as 0644 for files: a private folder holds it
        os.utime(folder, (MTIME, MTIME))


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _copy_file(source: str, target: str) -> None:
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        try:
            status = os.fstat(reader)
            _copy_bytes(reader, writer, status.st_size)
            os.fchmod(writer, 0o755 if status.st_mode & 0o100 else 0o644)
            os.utime(writer, (MTIME, MTIME))
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


def remove(folder: str) -> None:
    """Remove a folder whatever a step left in it: no access, any depth, any name.

    Every directory inside is first moved up to the top, so that no path is ever longer
    than two names and no recursion follows what the step nested.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        pending = _empty(top, ".", top, 0)
        done = 0
        while done < pending:
            name = f"{_TRASH}{done}"
            pending += _empty(top, name, top, pending)
            os.rmdir(name, dir_fd=top)
            done += 1
    finally:
        os.close(top)
    os.rmdir(folder)


_TRASH = "\x7frvbuild-"


def _empty(parent: int, name: str, top: int, number: int) -> int:
    """Empty one directory; how many directories went to ``top``, numbered from ``number``."""
    if name != ".":
        os.chmod(name, 0o700, dir_fd=parent)
    here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    moved = 0
    try:
        with os.scandir(here) as entries:
            listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_folder in listed:
            if not is_folder:
                os.unlink(inner, dir_fd=here)
                continue
            os.chmod(inner, 0o700, dir_fd=here)
            os.rename(inner, f"{_TRASH}{number + moved}", src_dir_fd=here, dst_dir_fd=top)
            moved += 1
    finally:
        os.close(here)
    return moved
