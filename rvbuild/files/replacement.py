"""A file that appears whole, or not at all.

Knows: that a rename is one step, and what makes it durable. Must not know: what is in the file.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from rvbuild.files.swap import put

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(
    name: str,
    data: bytes,
    *,
    at: int | None = None,
    mode: int | None = None,
    durable: bool = True,
) -> None:
    """Let ``data`` be in the file ``name``, instead of what was there.

    A killed run leaves what was there, and perhaps a file ``NAME.`` and 16 hex digits beside it.

    Args:
        name: A path, from the open folder ``at`` on if that is given.
        data: All of it.
        at: An open folder.
        mode: The file's mode, whatever the umask; None: as the umask has it.
        durable: Whether file and name are on the disk when this returns.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    mine = _new_file(name, data, at=at, mode=mode, durable=durable)
    try:
        os.replace(mine, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:  # an interrupt, too
        _drop(mine, at)
        raise
    if durable:
        _sync(os.path.dirname(name) or ".", at)


def create_file(name: str, data: bytes, *, mode: int | None = None) -> None:
    """Let ``data`` be in the new file ``name``, durably; what is there already stays.

    Args:
        name: A path.
        data: All of it.
        mode: The file's mode, whatever the umask; None: as the umask has it.

    Raises:
        FileExistsError: something is there, such as a link to nowhere.
        OSError: it could not be written.
    """
    mine = _new_file(name, data, mode=mode)
    try:
        is_put = put(mine, name)
    except BaseException:
        _drop(mine)
        raise
    if not is_put:
        _drop(mine)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    _sync(os.path.dirname(name) or ".")


def _new_file(
    name: str,
    data: bytes,
    *,
    at: int | None = None,
    mode: int | None = None,
    durable: bool = True,
) -> str:
    """The name of a new file beside ``name``; nobody else may read it before it has its mode."""
    mine = f"{name}.{os.urandom(8).hex()}"  # a name that nobody can have taken
    try:
        with open(
            os.open(mine, _NEW, 0o666 if mode is None else mode & 0o666, dir_fd=at), "wb"
        ) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except BaseException:  # an interrupt, too
        _drop(mine, at)
        raise
    return mine


def _drop(name: str, at: int | None = None) -> None:
    with suppress(OSError):  # what went wrong first is what is raised
        os.unlink(name, dir_fd=at)


def _sync(folder: str, at: int | None = None) -> None:
    """fsync(2) of a folder: the names in it are durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
