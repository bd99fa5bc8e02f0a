"""A file that appears whole, or not at all.

Knows: that a rename is one step, and what makes it durable. Must not know: what is in the file.
"""

from __future__ import annotations

import os
from contextlib import suppress

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
    mine = f"{name}.{os.urandom(8).hex()}"  # a name that nobody can have taken
    try:
        with open(os.open(mine, _NEW, 0o666, dir_fd=at), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(mine, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:  # an interrupt, too
        with suppress(OSError):  # what went wrong first is what is raised
            os.unlink(mine, dir_fd=at)
        raise
    if durable:
        _sync(os.path.dirname(name) or ".", at)


def _sync(folder: str, at: int | None) -> None:
    """fsync(2) of a folder: the names in it are durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
