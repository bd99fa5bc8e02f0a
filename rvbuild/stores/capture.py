"""Taking what a step left in its output folder.

Knows: that the step may have left anything there, and that somebody may still hold it open.
Must not know: why it ran.

Works by directory descriptors, one at a time however deep the folders are, and follows no
symlink. Of a file only content and the owner's executable bit are kept, in an inode of the
store's own: owner, times, set-uid bits, extended attributes and open descriptors are not.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from attrs import define

from rvbuild.core.errors import AuditFailed
from rvbuild.core.ports.callbacks import Taken
from rvbuild.files.folder import Inode, inode_of
from rvbuild.stores.layout import guarded
from rvbuild.stores.writer import LocalWriter

_LARGE = 1 << 20
"""Bytes of a file that goes as soon as it was taken; smaller ones go with the step's folder.

ext4 looks for an inode that nobody deleted in the last seconds. Where each file is deleted before
the next one is made, 20,000 small files take three times as long. The price: until its folder goes,
an output of small files is on the disk twice.
"""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


def take_folder(directory: str, writer: LocalWriter, taken: Taken) -> None:
    """Put all that is below ``directory`` into ``writer``'s tree; its large files are gone then.

    Raises:
        VerificationError: it holds what a tree cannot.
        StoreError: it could not be read, or the store could not be written.
    """
    with guarded(directory, "capture into"):
        here = os.open(directory, _FOLDER)
        taking = _Taking(writer, taken, here)
        try:
            taking.all()
        finally:
            os.close(taking.here)


@define
class _Level:
    """A folder at ``path`` of the tree, which one it is, and the names that are still to do."""

    path: str
    inode: Inode
    names: Iterator[tuple[str, bool]]


@define
class _Taking:
    """``here`` is the one open folder."""

    writer: LocalWriter
    taken: Taken
    here: int

    def all(self) -> None:
        levels = [self._level("")]
        while levels:
            name, is_folder = next(levels[-1].names, ("", False))
            path = f"{levels[-1].path}/{name}" if levels[-1].path else name
            if is_folder:
                self.writer.directory(path)
                self._go(name)
                levels.append(self._level(path))
            elif name:
                self._take(path, name)
            else:
                levels.pop()
                if levels:
                    self._back(levels[-1])

    def _level(self, path: str) -> _Level:
        there = os.fstat(self.here)
        names = []
        with os.scandir(self.here) as entries:
            for entry in entries:
                self.taken(1, 0)
                names.append((entry.name, entry.is_dir(follow_symlinks=False)))
        return _Level(path, inode_of(there), iter(sorted(names)))

    def _go(self, name: str) -> None:
        inner = _opened(name, _FOLDER, self.here)
        os.close(self.here)
        self.here = inner
        mode = stat.S_IMODE(os.fstat(inner).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:  # the step took away its own right to enter
            with contextlib.suppress(PermissionError):  # somebody else's: what follows tells
                os.fchmod(inner, mode | stat.S_IRWXU)

    def _back(self, level: _Level) -> None:
        self._go("..")
        if inode_of(os.fstat(self.here)) != level.inode:
            msg = f"somebody moved a folder of the output while it was read: {level.path!r}"
            raise AuditFailed(msg, hint="let no two steps share a folder")

    def _take(self, path: str, name: str) -> None:
        kind = stat.S_IFMT(os.stat(name, dir_fd=self.here, follow_symlinks=False).st_mode)
        if kind == stat.S_IFREG:
            self._take_file(path, name)
        elif kind == stat.S_IFLNK:
            self.writer.symlink(path, os.readlink(name, dir_fd=self.here))
        else:
            _refuse(path, kind)

    def _take_file(self, path: str, name: str) -> None:
        fd = _opened(name, _FILE, self.here)
        try:
            there = os.fstat(fd)
            if not stat.S_ISREG(there.st_mode):  # put there since
                _refuse(path, stat.S_IFMT(there.st_mode))
            self.writer.take(path, fd, lambda size: self.taken(0, size))
        finally:
            os.close(fd)
        if there.st_size >= _LARGE:  # the disk need not get what is of no use any more
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self.here)


def _refuse(path: str, kind: int) -> None:
    msg = f"the output holds {_KINDS.get(kind, 'something strange')}: {path!r}"
    hint = "an output has only files, folders and symlinks; remove it in the script"
    raise AuditFailed(msg, hint=hint)


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
