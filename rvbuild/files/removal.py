"""Removal of whatever there is, and of nothing behind it.

Knows: links, folders without rights, any depth, mounts. Must not know: why it goes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from rvbuild.files.descent import Descent
from rvbuild.files.folder import open_folder, set_mode

Wanted = Callable[[], None]
"""Raises, if whoever removes should go away instead: what is left can be removed later."""


def remove_tree(path: str, at: int | None = None, wanted: Wanted = lambda: None) -> None:
    """Remove ``path`` in the folder ``at`` with all below; what is not there is no error.

    Works by descriptors, so that it follows no link, also none that was put there meanwhile.
    Where something is mounted, it stops: what is mounted there is not ours.

    Args:
        path: What goes.
        at: The open folder that it is in.
        wanted: Called before each removal.

    Raises:
        OSError: something could not be removed.
    """
    try:
        there = os.stat(path, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(there.st_mode):
        os.unlink(path, dir_fd=at)
    elif not _is_removed(path, at):
        _empty(path, at, wanted)
        os.rmdir(path, dir_fd=at)


def clear_tree(path: str, at: int) -> None:
    """Like ``remove_tree`` for a folder; if it is a place to mount at, it stays, empty.

    Raises:
        OSError: something in it could not be removed.
    """
    _empty(path, at, lambda: None)
    try:
        os.rmdir(path, dir_fd=at)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise


def _empty(path: str, at: int | None, wanted: Wanted) -> None:
    top = _opened(path, at)
    try:
        descent = Descent(top, writable=True)
    finally:
        os.close(top)
    try:
        _clear(descent, wanted)
        while descent.pending or not descent.is_at_top:
            if descent.pending:
                descent.down(descent.pending.pop())
                _clear(descent, wanted)
            else:
                wanted()
                name = descent.up()
                os.rmdir(name, dir_fd=descent.here)
    finally:
        descent.close()


def _opened(path: str, at: int | None) -> int:
    try:
        return open_folder(path, at)
    except PermissionError:
        set_mode(path, stat.S_IRWXU, at)
        return open_folder(path, at)


def _clear(descent: Descent, wanted: Wanted) -> None:
    """Remove all that holds nothing; the other folders are pending."""
    for name, is_folder in _listed(descent.here, wanted):
        wanted()
        if not is_folder:
            os.unlink(name, dir_fd=descent.here)
        elif not _is_removed(name, descent.here):
            descent.pending.append(name)


def _listed(folder: int, wanted: Wanted) -> list[tuple[str, bool]]:
    listed = []
    with os.scandir(folder) as entries:
        for entry in entries:
            wanted()
            listed.append((entry.name, entry.is_dir(follow_symlinks=False)))
    return listed


def _is_removed(name: str, at: int | None) -> bool:
    """Remove the folder if it is empty.

    The kernel refuses it for a place where something is mounted before it looks inside (EBUSY),
    also where the device's number would not tell, as with a bind mount of the same disk.
    """
    try:
        os.rmdir(name, dir_fd=at)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise OSError(errno.EBUSY, "something is mounted there", name) from error
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True
