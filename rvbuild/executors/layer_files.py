"""The files of a compile cache's layers, moved from one layer into another by descriptors.

Knows: what may enter a layer. Must not know: when a layer may change.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable

from rvbuild.executors.identity import Identity
from rvbuild.executors.step_folder import give
from rvbuild.files.folder import FILE, WrongKind, opened, set_mode

_DEEPEST = 16
_AHEAD = 5 * 24 * 3600
"""How far ahead of now a file's time is set, in seconds. Go touches an entry that it uses
and whose time is more than an hour ago, which would copy it into the upper layer; and it
removes what was not touched for five days."""


class Moving:
    """Moves files from one folder into another, both by descriptors."""

    def __init__(self, owner: Identity | None, wanted: Callable[[], None]) -> None:
        self._owner = owner
        self._wanted = wanted

    def folder(self, source: int, target: int, level: int) -> None:
        """Move what may be moved."""
        for name, status in _listed(source):
            self._wanted()
            if stat.S_ISDIR(status.st_mode):
                if level < _DEEPEST and not self.is_moved(source, target, name):
                    self._inner(source, target, name, level)
            elif stat.S_ISREG(status.st_mode):
                self.file(source, target, name, status)
            elif stat.S_ISCHR(status.st_mode) and not status.st_rdev:
                self.whiteout(source, target, name)

    def is_moved(self, source: int, target: int, name: str) -> bool:
        """Whether a folder could be moved with all that is in it."""
        raise NotImplementedError

    def file(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        raise NotImplementedError

    def whiteout(self, source: int, target: int, name: str) -> None:
        """The step removed what had that name."""
        raise NotImplementedError

    def _inner(self, source: int, target: int, name: str, level: int) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=target)
            give(name, self._owner, target)
        set_mode(name, 0o700, source)
        with (
            opened(name, source) as inner,
            contextlib.suppress(WrongKind),
            opened(name, target) as place,
        ):
            self.folder(inner, place, level + 1)


class Keeping(Moving):
    """Takes of an upper layer what may enter."""

    def __init__(self, owner: Identity | None, wanted: Callable[[], None]) -> None:
        super().__init__(owner, wanted)
        self._uid = owner.uid if owner else os.geteuid()
        self._time = time.time() + _AHEAD

    def is_moved(self, source: int, target: int, name: str) -> bool:
        del source, target, name
        return False  # what is in it may not enter

    def file(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        if status.st_nlink != 1 or status.st_uid != self._uid:
            return
        file = _opened_file(name, source)
        try:
            os.fchmod(file, 0o700 if status.st_mode & 0o100 else 0o600)
            if not _plain(file):
                return
            os.utime(file, (self._time, self._time))
        finally:
            os.close(file)
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    def whiteout(self, source: int, target: int, name: str) -> None:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)


class Settling(Moving):
    """Puts a layer into the one below."""

    def is_moved(self, source: int, target: int, name: str) -> bool:
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise
            return False
        return True

    def file(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        del status  # what may enter was asked before
        with contextlib.suppress(IsADirectoryError):
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)

    def whiteout(self, source: int, target: int, name: str) -> None:
        del source
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            os.unlink(name, dir_fd=target)


def _opened_file(name: str, above: int) -> int:
    try:
        return os.open(name, FILE, dir_fd=above)
    except PermissionError:  # its mode keeps its own user out
        set_mode(name, 0o600, above)
        return os.open(name, FILE, dir_fd=above)


def _listed(folder: int) -> list[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]


def _plain(file: int) -> bool:
    """Rid a file of extended attributes (the overlay's own, too); False if one stays."""
    for name in os.listxattr(file):
        with contextlib.suppress(OSError):
            os.removexattr(file, name)
    return not os.listxattr(file)
