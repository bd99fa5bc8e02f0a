"""Two things change places, or one gets a name that nothing has: renameat2(2).

Knows: how nothing that somebody else has put there can be lost. Must not know: what it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets

_HERE = -100  # AT_FDCWD
_NO_REPLACE, _EXCHANGE = 1, 2


def put(source: str, target: str) -> bool:
    """Rename, unless ``target`` is there: then False, and nothing has changed.

    Raises:
        OSError: as rename(2).
    """
    try:
        _rename(source, target, _NO_REPLACE)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise
        return _put_plainly(source, target)
    return True


def exchange(one: str, other: str) -> None:
    """Let two names change what they mean, at once where the file system can.

    Raises:
        FileNotFoundError: one of them is not there.
        OSError: as rename(2).
    """
    try:
        _rename(one, other, _EXCHANGE)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise
        between = f"{one}.between"
        os.rename(other, between)
        if not _put_plainly(one, other):  # somebody was quicker: what was there stays beside it
            os.rename(between, f"{other}.old-{secrets.token_hex(4)}")
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), other) from error
        os.rename(between, one)


def _rename(source: str, target: str, flags: int) -> None:
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(_HERE, os.fsencode(source), _HERE, os.fsencode(target), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _put_plainly(source: str, target: str) -> bool:
    """For file systems that know no flags: a folder replaces only an empty one, a link nothing."""
    try:
        if os.path.isdir(source) and not os.path.islink(source):
            os.mkdir(target)
            os.rename(source, target)
        else:
            os.link(source, target, follow_symlinks=False)
            os.unlink(source)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            return False
        with contextlib.suppress(OSError):
            os.rmdir(target)
        raise
    return True
