"""Folders and files by descriptor: no link is followed, nothing is waited for.

Knows: how something is opened that may be anything. Must not know: what is in it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Inode = tuple[int, int]
"""Device and number: what two names of one file share."""

A_FOLDER, A_FILE, NOTHING = "a folder", "a regular file", "nothing"

_KINDS = {
    stat.S_IFDIR: A_FOLDER,
    stat.S_IFREG: A_FILE,
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


class WrongKind(OSError):
    """There is something of another kind than there must be.

    Args:
        path: Where.
        kind: What there is, as ``kind_at`` says it.
        wanted: What there must be.
    """

    def __init__(self, path: str, kind: str, wanted: str) -> None:
        super().__init__(errno.EINVAL, f"{kind}, where {wanted} must be", path)
        self.path = path
        self.problem = f"{kind}, where {wanted} must be"
        self.kind = kind
        self.wanted = wanted

    def at(self, path: str) -> WrongKind:
        """The same, by its whole path."""
        return WrongKind(path, self.kind, self.wanted)


class WrongMode(WrongKind):
    """A folder has another mode than it must have; ``mode`` is the one to give back."""

    def __init__(self, path: str, mode: int, wanted: int) -> None:
        super().__init__(path, f"mode {stat.S_IMODE(mode):o}", f"{wanted:o}")
        self.mode = wanted


def inode_of(there: os.stat_result) -> Inode:
    """Which file a status is of, as long as it exists."""
    return there.st_dev, there.st_ino


def kind_of(mode: int) -> str:
    """What a mode of stat(2) says that a thing is."""
    return _KINDS.get(stat.S_IFMT(mode), "something strange")


def kind_at(name: str, at: int | None = None) -> str:
    """What ``name`` in the folder ``at`` is; a link is a link, wherever it leads.

    Raises:
        OSError: nobody may look there.
    """
    try:
        return kind_of(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return NOTHING


def nearest(path: str, is_there: Callable[[str], bool]) -> str:
    """The path itself, or the nearest one above it, that is there.

    Args:
        path: Absolute.
        is_there: What counts: ``os.path.exists`` for anything but a link to nowhere,
            ``os.path.lexists`` for that, too.
    """
    while not is_there(path):
        path = os.path.dirname(path)
    return path


def is_below(path: str, folder: str) -> bool:
    """Whether a path, of which nothing may be there, is a folder or below it, links followed."""
    real = os.path.realpath(folder)
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(real, ""))


def open_folder(name: str, at: int | None = None) -> int:
    """The folder ``name``, which is no link.

    Raises:
        WrongKind: it is something else.
        OSError: as open(2).
    """
    try:
        return os.open(name, FOLDER, dir_fd=at)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise WrongKind(name, kind_at(name, at), A_FOLDER) from error


@contextmanager
def opened(name: str, at: int | None = None) -> Iterator[int]:
    """The folder ``name``, open until the end.

    Raises:
        OSError: as ``open_folder``.
    """
    folder = open_folder(name, at)
    try:
        yield folder
    finally:
        os.close(folder)


def open_file(name: str, at: int | None = None) -> int:
    """The regular file ``name``, to be read. Nothing else is opened: to open a device may act.

    Raises:
        WrongKind: it is something else.
        OSError: as open(2).
    """
    there = os.stat(name, dir_fd=at, follow_symlinks=False)
    if not stat.S_ISREG(there.st_mode):
        raise WrongKind(name, kind_of(there.st_mode), A_FILE)
    return os.open(name, FILE, dir_fd=at)


def path_of(folder: int) -> str:
    """A path of an open folder that leads to it, whoever renames what is above it meanwhile.

    It is for what takes paths alone: in this process, or in another one that may look into this.
    (The dot lets it be opened where no link may be.)
    """
    return f"/proc/{os.getpid()}/fd/{folder}/."


def set_mode(name: str, mode: int, at: int | None = None) -> None:
    """Like chmod(2), but not through a link; also where nobody may open ``name``.

    Raises:
        OSError: it is not ours, or it is a link.
    """
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        there = os.fstat(handle)
        if stat.S_ISLNK(there.st_mode):
            raise WrongKind(name, kind_of(there.st_mode), A_FILE)
        os.chmod(f"/proc/self/fd/{handle}", mode)  # fchmod(2) refuses such a descriptor
    finally:
        os.close(handle)
