"""A compile cache that steps read, each through a layer of its own, and add to when they end.

Knows: files, and what may enter a cache. Must not know: which compiler it serves.

``FOLDER/files`` is the lower layer of an overlay, which no step can write to; what a step
writes is in an upper layer in the step's own folder. When the step succeeded, and nothing of
it runs any more, its upper layer is merged: file by file, each by one rename. Only regular
files with one name enter, with mode 0600 or 0700, without extended attributes. So no step
meets another here, and none leaves a set-uid program, a link, a socket or a device.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator

from attrs import frozen

from rvbuild.executors.bwrap import Overlay
from rvbuild.executors.identity import Identity
from rvbuild.files.removal import remove_tree

FILES = "files"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 16
_AHEAD = 5 * 24 * 3600
"""How far ahead of now a file's time is set, in seconds. Go touches an entry that it uses
and whose time is more than an hour ago, which would copy it into the upper layer; and it
removes what was not touched for five days."""


@frozen
class Accelerator:
    """The cache in ``folder``, whose files are ``owner``'s (None: this user's)."""

    folder: str
    owner: Identity | None

    def prepare(self) -> None:
        """Make it, and clear what is not in ``files``: older versions shared all of it.

        Raises:
            OSError: it cannot be made, or is a link.
        """
        above = os.path.dirname(self.folder)
        _private(above)
        _private(self.folder)
        for name in os.listdir(self.folder):
            if name != FILES or not self._is_ours():
                _remove(os.path.join(self.folder, name))
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.files, 0o700)
        if self.owner:
            os.chown(self.files, self.owner.uid, self.owner.gid, follow_symlinks=False)

    @property
    def files(self) -> str:
        """The lower layer."""
        return os.path.join(self.folder, FILES)

    def layer(self, over: str) -> Layer:
        """A step's view of it; ``over`` is a new folder, in the step's own.

        Raises:
            OSError: it cannot be made.
        """
        for name in ("", "upper", "work"):
            path = os.path.join(over, name)
            os.mkdir(path, 0o700)
            if self.owner:
                os.chown(path, self.owner.uid, self.owner.gid)
        return Layer(Overlay(self.files, over), self.owner)

    def _is_ours(self) -> bool:
        status = os.lstat(self.files)
        uid = self.owner.uid if self.owner else os.geteuid()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == uid


@frozen
class Layer:
    """What one step sees of an accelerator, and how what it wrote is taken."""

    overlay: Overlay
    owner: Identity | None

    def merge(self) -> None:
        """Take what a step that has ended wrote; what cannot be taken stays where it is.

        Raises:
            OSError: a layer cannot be read, or no file can be moved (a full disk).
        """
        upper = os.path.join(self.overlay.over, "upper")
        with _opened(upper) as source, _opened(self.overlay.lower) as target:
            _Merge(self.owner).folder(source, target, 0)


def _private(path: str) -> None:
    """A folder that only this user can enter.

    Raises:
        OSError: there is something else, or somebody else's.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    folder = os.open(path, _FOLDER)
    try:
        if os.fstat(folder).st_mode & 0o7777 != 0o700:
            os.fchmod(folder, 0o700)
    finally:
        os.close(folder)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process clears it too
        remove_tree(path)


class _Merge:
    """Moves files from one folder into another, both by descriptors."""

    def __init__(self, owner: Identity | None) -> None:
        self._uid = owner.uid if owner else os.geteuid()
        self._owner = owner
        self._time = time.time() + _AHEAD

    def folder(self, source: int, target: int, level: int) -> None:
        """Move what may be moved, and remove what the step removed."""
        for name, status in _listed(source):
            if stat.S_ISDIR(status.st_mode):
                if level < _DEEPEST:
                    self._inner(source, target, name, level)
            elif stat.S_ISREG(status.st_mode):
                self._file(source, target, name, status)
            elif stat.S_ISCHR(status.st_mode) and not status.st_rdev:
                with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                    os.unlink(name, dir_fd=target)  # a whiteout: the step removed it

    def _inner(self, source: int, target: int, name: str, level: int) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=target)
            if self._owner:
                os.chown(name, self._owner.uid, self._owner.gid, dir_fd=target)
        except FileExistsError:
            pass
        os.chmod(name, 0o700, dir_fd=source)
        with (
            _opened(name, source) as inner,
            contextlib.suppress(NotADirectoryError),
            _opened(name, target) as place,
        ):
            self.folder(inner, place, level + 1)

    def _file(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        if status.st_nlink != 1 or status.st_uid != self._uid:
            return
        os.chmod(name, 0o700 if status.st_mode & 0o100 else 0o600, dir_fd=source)
        file = os.open(name, _FILE, dir_fd=source)
        try:
            if not _plain(file):
                return
            os.utime(file, (self._time, self._time))
        finally:
            os.close(file)
        with contextlib.suppress(IsADirectoryError):
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)


@contextlib.contextmanager
def _opened(name: str, above: int | None = None) -> Iterator[int]:
    folder = os.open(name, _FOLDER, dir_fd=above)
    try:
        yield folder
    finally:
        os.close(folder)


def _listed(folder: int) -> list[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]


def _plain(file: int) -> bool:
    """Rid a file of extended attributes (the overlay's own, too); False if one stays."""
    for name in os.listxattr(file):
        with contextlib.suppress(OSError):
            os.removexattr(file, name)
    return not os.listxattr(file)
