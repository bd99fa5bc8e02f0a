"""The file that `lock` writes.

Knows: how it gets there whole, or not at all. Must not know: what is in it.
"""

from __future__ import annotations

import errno
import os
import stat

from rvbuild.core.errors import StoreError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.replacement import replace_file


def put_lock(path: str, text: str) -> None:
    """Put the lock there whole, or leave what is there.

    Where it is a link, the file that it names is written, as git and cargo do: several projects
    may share it. Its mode stays, and says whether it may be written at all.

    Raises:
        StoreError: it could not be written.
    """
    real = os.path.realpath(path)
    try:
        _refuse_no_lock(path, real)
        replace_file(real, text.encode(), mode=_mode_of(real))
    except OSError as error:
        at = path if real == os.path.abspath(path) else f"{path} (a link to {real})"
        msg = f"the lock cannot be written: {error.strerror}"
        hint = hint_for(error.errno, Site.LOCK)
        raise StoreError(msg, where=at, hint=hint) from error


def _refuse_no_lock(path: str, real: str) -> None:
    """Refuse a link out of the project to an empty file: nothing says that it is a lock.

    Raises:
        OSError: it is one; a checkout may hold it, and the file may be anybody's.
    """
    inside = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), "")
    empty = os.path.exists(real) and os.path.getsize(real) == 0
    if empty and not real.startswith(inside):
        raise OSError(errno.EEXIST, "it is a link to an empty file outside of the project", path)


def _mode_of(path: str) -> int | None:
    """The mode of the file that is there, if there is one.

    Raises:
        OSError: its owner may not write it.
    """
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return None
    if not mode & stat.S_IWUSR:
        raise OSError(errno.EACCES, "it is read-only", path)
    return mode
