"""The way down from an open folder to another, through no link.

Knows: how folders on the way are entered, and made. Must not know: what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from rvbuild.files.folder import WrongKind, open_folder


@contextmanager
def entered(
    top: int,
    folders: Sequence[str],
    *,
    path: str,
    make: int | None = None,
    durable: bool = False,
) -> Iterator[int]:
    """The folder at the end of a way, open until the end.

    Args:
        top: An open folder, where the way begins.
        folders: The names on the way, one below the other.
        path: That of ``top``, for messages.
        make: The mode of folders that are missing, before the umask; None: they are not made.
        durable: Whether the name of a folder that was made is on the disk before one goes on.

    Raises:
        FileNotFoundError: a folder is missing.
        WrongKind: something on the way is no folder.
        OSError: as open(2) and mkdir(2).
    """
    at = os.dup(top)
    try:
        for number, folder in enumerate(folders):
            try:
                inner = _enter(folder, at, make, durable=durable)
            except WrongKind as error:
                raise error.at("/".join((path, *folders[: number + 1]))) from error
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _enter(name: str, at: int, make: int | None, *, durable: bool) -> int:
    try:
        return open_folder(name, at)
    except FileNotFoundError:
        if make is None:
            raise
    with suppress(FileExistsError):  # another process was faster
        os.mkdir(name, make, dir_fd=at)
        if durable:
            os.fsync(at)
    return open_folder(name, at)
