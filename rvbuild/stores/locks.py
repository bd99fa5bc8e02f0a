"""Locks between processes: flock(2), which ends with the process that holds it.

Knows: lock files. Must not know: what they guard.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import StoreError
from rvbuild.files.folder import A_FILE, NOTHING, WrongKind, kind_at, open_folder
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.shape import refuse_odd_folders

STORE = "store"

_WAIT = 0.1
"""Seconds between two looks at a lock that somebody else has."""

_LONGEST_NAME = 200
_UNKNOWN = "another process"


def _open(layout: Layout, path: str) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with layout.above(path) as (at, name):
        kind = kind_at(name, at)
        if kind not in {A_FILE, NOTHING}:
            raise WrongKind(path, kind, A_FILE)
        try:
            return os.open(name, os.O_RDWR | os.O_CREAT | flags, 0o644, dir_fd=at)
        except OSError as error:
            only_read = error.errno in {errno.EROFS, errno.EACCES} and kind == A_FILE
            if not only_read:
                raise
            return os.open(name, os.O_RDONLY | flags, dir_fd=at)  # flock(2) needs no more


def _wait_for(fd: int, path: str, waiting: Callable[[str], None] | None) -> None:
    """Take the lock of a file when it is free; ``waiting`` as for `LocalLocks.lock`."""
    if waiting is None:
        _take(fd, path, fcntl.LOCK_EX)
        return
    while True:
        try:
            _take(fd, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(_holder(fd))
            time.sleep(_WAIT)
        else:
            return


def _name_holder(fd: int) -> None:
    """Write into a lock's file who has it, for those who wait; the lock does not depend on it."""
    with suppress(OSError):  # a file that can only be read, a full disk
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)


def _holder(fd: int) -> str:
    """Who has a lock, as far as its file says."""
    with suppress(OSError, UnicodeError):
        return os.pread(fd, _LONGEST_NAME, 0).decode() or _UNKNOWN
    return _UNKNOWN


@contextmanager
def _held(fd: int, path: str, mode: int) -> Iterator[None]:
    """The lock of an open file or folder, which is closed at the end."""
    try:
        _take(fd, path, mode)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: str, mode: int) -> None:
    """Take the lock of an open file or folder.

    Raises:
        BlockingIOError: another process has it, and ``mode`` is not to wait.
        StoreError: the file system has no locks.
    """
    try:
        fcntl.flock(fd, mode)
    except BlockingIOError:
        raise
    except OSError as error:
        msg = f"cannot lock the store: {error.strerror}"
        hint = advise(Remedy.STORE.of("a folder on a local file system"))
        raise StoreError(msg, where=path, hint=hint) from error


class LocalLocks:
    """The locks of the store at ``layout``."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.locks
        self._root = layout.root

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        """Alone among processes and threads that lock the same ``name``; waits.

        Take ``shared()`` first: gc removes the files of locks that nobody holds.

        Args:
            name: What is locked.
            waiting: Called a few times a second, with the name of whoever has it (the kernel's
                own wait cannot be ended from another thread); to raise ends the wait.
        """
        file = name if name.isalnum() else hashlib.sha256(name.encode()).hexdigest()
        path = f"{self._folder}/on-{file}"
        with guarded(path):
            fd = _open(self._layout, path)
        try:
            _wait_for(fd, path, waiting)
            _name_holder(fd)
            yield
        finally:
            os.close(fd)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Held for a whole build: nothing in the store goes away meanwhile.

        May be taken again by who has it: gc tries once and does not wait in between.

        Raises:
            StoreError: one of the store's own folders is a link, or something else.
        """
        with guarded(self._root, "read"):
            refuse_odd_folders(self._layout)
        with self._file(f"{self._folder}/{STORE}", fcntl.LOCK_SH):
            yield

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Like ``shared``, for who only looks, also at a store in which nobody can build."""
        path = f"{self._folder}/{STORE}"
        with ExitStack() as stack:
            with guarded(path, "read"), suppress(WrongKind, FileNotFoundError):
                fd = _open(self._layout, path)  # else nobody has the lock: it cannot be had
                stack.enter_context(_held(fd, path, fcntl.LOCK_SH))
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone in the store; does not wait.

        Raises:
            StoreError: another rvbuild is using the store.
        """
        with self._alone(self._file(f"{self._folder}/{STORE}", fcntl.LOCK_EX | fcntl.LOCK_NB)):
            yield

    @contextmanager
    def mending(self) -> Iterator[None]:
        """Alone among those who mend the store, whatever is in the place of its locks."""
        with guarded(self._root):
            fd = open_folder(".", self._layout.fd)
        with self._alone(_held(fd, self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            yield

    @contextmanager
    def _file(self, path: str, mode: int) -> Iterator[None]:
        with guarded(path):
            fd = _open(self._layout, path)
        with _held(fd, path, mode):
            yield

    @contextmanager
    def _alone(self, lock: AbstractContextManager[None]) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(lock)
            except BlockingIOError:
                msg = "another rvbuild is using the store"
                hint = "run it again when that one is done"
                raise StoreError(msg, where=self._root, hint=hint) from None
            yield
