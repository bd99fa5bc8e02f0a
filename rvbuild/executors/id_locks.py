"""Locks on ids, of all processes that see the same folder.

Knows: byte ranges of a file (fcntl(2), "Open file description locks"). Must not know: whose
ids they are, who runs as one.

A file ``ids`` in each folder is never written: its n-th byte stands for the id n. A lock is
of an open file, so it ends with the process that has it open, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import SandboxError
from rvbuild.files.folder import opened

OF_THE_MACHINE = "/run/rvbuild"
_FILE = "ids"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LOCK = "hhqqi4x"  # struct flock: type, whence, start, length, process
_TAKEN = frozenset((errno.EAGAIN, errno.EACCES))
_HINT = advise(Remedy.STORE.of("a store on a local file system of this machine"))
_MAKE = "let it be a folder that root may write to, and `ids` in it a file or nothing"


@frozen
class OpenLocks:
    """The files of one holder. What it has taken is free again when they are closed."""

    files: tuple[int, ...]

    def take(self, number: int, *, alone: bool) -> bool:
        """Take an id, in each of the files; False, with none of them, if somebody has it.

        Args:
            number: Which.
            alone: Whether nobody else may have it; otherwise all who say so may.

        Raises:
            SandboxError: the file system has no such locks.
        """
        for at, file in enumerate(self.files):
            if not _locked(file, number, fcntl.F_WRLCK if alone else fcntl.F_RDLCK):
                for other in self.files[:at]:
                    _locked(other, number, fcntl.F_UNLCK)
                return False
        return True


@frozen
class IdLocks:
    """Where ids are taken: in the folder of the machine, and in ``store``, that of a store.

    ``machine`` is left out where it cannot be made: a container may have it read-only.
    """

    store: str | None = None
    machine: str = OF_THE_MACHINE

    @contextlib.contextmanager
    def opened(self) -> Iterator[OpenLocks]:
        """The files, for one holder.

        Raises:
            SandboxError: nothing can be locked.
        """
        with contextlib.ExitStack() as stack:
            try:
                files = list(self._files(stack))
            except OSError as error:
                raise _refused(error, self._hint(error)) from error
            if not files:
                raise _refused(OSError(errno.EROFS, os.strerror(errno.EROFS), self.machine), _MAKE)
            yield OpenLocks(tuple(files))

    def _hint(self, error: OSError) -> Hint:
        return _MAKE if str(error.filename).startswith(self.machine) else _HINT

    def _files(self, stack: contextlib.ExitStack) -> Iterator[int]:
        with contextlib.suppress(OSError):
            os.mkdir(self.machine, 0o700)
        if os.access(self.machine, os.W_OK):
            yield _opened(self.machine, stack)
        if self.store is not None:
            yield _opened(self.store, stack)


def _opened(folder: str, stack: contextlib.ExitStack) -> int:
    with opened(folder) as at:
        file = os.open(_FILE, _OPEN, 0o600, dir_fd=at)
    stack.callback(os.close, file)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", f"{folder}/{_FILE}")
    return file


def _locked(file: int, number: int, kind: int) -> bool:
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack(_LOCK, kind, os.SEEK_SET, number, 1, 0))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise _refused(error) from error
    return True


def _refused(error: OSError, hint: Hint = _HINT) -> SandboxError:
    msg = f"no id can be taken for a step: {error.strerror}"
    return SandboxError(msg, where=error.filename, hint=hint)
