"""A file that appears whole, or not at all.

Knows: that a rename is one step, and what makes it durable. Must not know: what is in the file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from rvbuild.files.folder import Inode, inode_of
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
    mine = _unused(name)
    with replacing(name, mine, at=at, staging=at, mode=mode, durable=durable) as file:
        file.write(data)


@contextmanager
def replacing(  # noqa: PLR0913 - keyword-only but for the names
    name: str,
    mine: str,
    *,
    at: int | None,
    staging: int | None,
    mode: int | None = None,
    durable: bool = True,
) -> Iterator[BinaryIO]:
    """A new file, which is ``name`` once the body ended well.

    Args:
        name: As for `replace_file`.
        mine: Its name until then, which nothing has; on the same file system.
        at: The open folder from which ``name`` counts.
        staging: That from which ``mine`` counts.
        mode: As for `replace_file`.
        durable: As for `replace_file`.

    Raises:
        OSError: it could not be written; what was there is still there.
    """
    with _new_file(mine, at=staging, mode=mode, durable=durable) as file:
        yield file
        inode = inode_of(os.fstat(file.fileno()))
    try:
        _rename(mine, name, staging, at, inode)
    except BaseException:  # an interrupt, too
        _drop(mine, staging)
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
    mine = _unused(name)
    with _new_file(mine, mode=mode) as file:
        file.write(data)
    try:
        is_put = put(mine, name)
    except BaseException:
        _drop(mine)
        raise
    if not is_put:
        _drop(mine)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    _sync(os.path.dirname(name) or ".")


def _unused(name: str) -> str:
    """A name beside ``name`` that nobody can have taken."""
    return f"{name}.{os.urandom(8).hex()}"


@contextmanager
def _new_file(
    mine: str, *, at: int | None = None, mode: int | None = None, durable: bool = True
) -> Iterator[BinaryIO]:
    """A new file, whole once the body ended; nobody else reads it before it has its mode."""
    first = 0o666 if mode is None else mode & 0o666
    try:
        with open(os.open(mine, _NEW, first, dir_fd=at), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except BaseException:  # an interrupt, too
        _drop(mine, at)
        raise


def _rename(mine: str, name: str, staging: int | None, at: int | None, inode: Inode) -> None:
    """Rename; over NFS one that was done may be told as ENOENT, if its answer was lost."""
    try:
        os.replace(mine, name, src_dir_fd=staging, dst_dir_fd=at)
    except FileNotFoundError:
        if inode_of(os.stat(name, dir_fd=at, follow_symlinks=False)) != inode:
            raise


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
