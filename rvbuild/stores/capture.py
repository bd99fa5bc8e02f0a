"""Taking what a step left in its output folder.

Knows: that the step may have left anything there. Must not know: why it ran.

Works by directory descriptors and follows no symlink. Of a file only content and the
owner's executable bit are kept: owner, times, set-uid bits, extended attributes are not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import File
from rvbuild.stores.hashing import StreamHash
from rvbuild.stores.layout import EPOCH_NS, EXECUTABLE, PLAIN, guarded
from rvbuild.stores.writer import LocalWriter

_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


def take_folder(directory: str, writer: LocalWriter) -> None:
    """Put all that is below ``directory`` into ``writer``'s tree.

    Raises:
        VerificationError: it holds what a tree cannot.
        StoreError: it could not be read, or the store could not be written.
    """
    levels: list[_Level] = []
    with guarded(directory, "capture into"):
        try:
            levels.append(_Level("", os.open(directory, _FOLDER)))
            while levels:
                name = next(levels[-1].names, None)
                if name is None:
                    os.close(levels.pop().folder)
                elif (inner := _take(levels[-1], name, writer)) is not None:
                    levels.append(inner)
        finally:
            for level in levels:
                os.close(level.folder)


class _Level:
    """An open folder at ``path`` of the tree, and the names in it that are still to do."""

    def __init__(self, path: str, folder: int) -> None:
        self.path = path
        self.folder = folder
        self.names = iter(sorted(os.listdir(folder)))


def _take(level: _Level, name: str, writer: LocalWriter) -> _Level | None:
    here = f"{level.path}/{name}" if level.path else name
    kind = stat.S_IFMT(os.stat(name, dir_fd=level.folder, follow_symlinks=False).st_mode)
    if kind == stat.S_IFDIR:
        writer.directory(here)
        return _Level(here, _opened(name, _FOLDER, level.folder))
    if kind == stat.S_IFREG:
        _take_file(here, name, level.folder, writer)
    elif kind == stat.S_IFLNK:
        writer.symlink(here, os.readlink(name, dir_fd=level.folder))
    else:
        msg = f"the output holds {_KINDS.get(kind, 'something strange')}: {here!r}"
        hint = "an output has only files, folders and symlinks; remove it in the script"
        raise VerificationError(msg, hint=hint)
    return None


def _take_file(path: str, name: str, folder: int, writer: LocalWriter) -> None:
    fd = _opened(name, _FILE, folder)
    try:
        there = os.fstat(fd)
        executable = bool(there.st_mode & stat.S_IXUSR)
        if not _can_move(fd, there, writer.device):
            writer.file(path, _chunks(fd), executable=executable)
            return
        digest = _digest(fd)
        os.fchmod(fd, EXECUTABLE if executable else PLAIN)
        os.utime(fd, ns=(EPOCH_NS, EPOCH_NS))
    finally:
        os.close(fd)
    writer.take(path, File(digest, executable), name, folder)


def _can_move(fd: int, there: os.stat_result, device: int) -> bool:
    """A file with another name could still be written through it; attributes would stay."""
    return there.st_nlink == 1 and there.st_dev == device and not _attributes(fd)


def _attributes(fd: int) -> set[str]:
    try:
        return set(os.listxattr(fd)) - {"security.selinux"}  # the machine's own, on every file
    except OSError:  # a file system without attributes
        return set()


def _digest(fd: int) -> Digest:
    with StreamHash() as hasher:
        for chunk in _chunks(fd):
            hasher.update(chunk)
        return Digest(hasher.hexdigest(), hasher.size)


def _chunks(fd: int) -> Iterator[bytes]:
    while chunk := os.read(fd, _CHUNK):
        yield chunk


def _opened(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except PermissionError:  # the step took away its own right to read
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            mode = os.fstat(handle).st_mode
            more = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(mode) | more)
        finally:
            os.close(handle)
        return os.open(name, flags, dir_fd=folder)
