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
from contextlib import ExitStack, contextmanager

from rvbuild.core.errors import StoreError
from rvbuild.stores.layout import Layout, guarded

STORE = "store"

_WAIT = 0.1
"""Seconds between two looks at a lock that somebody else has."""


def _open(path: str) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    except OSError as error:
        only_read = error.errno in {errno.EROFS, errno.EACCES} and os.path.exists(path)
        if not only_read:
            raise
        return os.open(path, os.O_RDONLY | flags)  # flock(2) needs no more


@contextmanager
def _held(path: str, mode: int) -> Iterator[None]:
    with guarded(path):
        fd = _open(path)
    try:
        try:
            fcntl.flock(fd, mode)
        except BlockingIOError:
            raise
        except OSError as error:
            msg = f"cannot lock the store: {error.strerror}"
            hint = "use a folder on a local file system, with --store"
            raise StoreError(msg, where=path, hint=hint) from error
        yield
    finally:
        os.close(fd)


@contextmanager
def _tried(path: str, waiting: Callable[[], None]) -> Iterator[None]:
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_held(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
                break
            except BlockingIOError:
                waiting()
                time.sleep(_WAIT)
        yield


class LocalLocks:
    """The locks of the store at ``layout``."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.locks
        self._root = layout.root

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Alone among processes and threads that lock the same ``name``; waits.

        Take ``shared()`` first: gc removes the files of locks that nobody holds.

        Args:
            name: What is locked.
            waiting: Called a few times a second while somebody else has it (the kernel's own
                wait cannot be ended from another thread); to raise ends the wait.
        """
        file = name if name.isalnum() else hashlib.sha256(name.encode()).hexdigest()
        path = f"{self._folder}/on-{file}"
        with _held(path, fcntl.LOCK_EX) if waiting is None else _tried(path, waiting):
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Held for a whole build: nothing in the store goes away meanwhile.

        May be taken again by who has it: gc tries once and does not wait in between.
        """
        with _held(f"{self._folder}/{STORE}", fcntl.LOCK_SH):
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone in the store; does not wait.

        Raises:
            StoreError: another rvbuild is using the store.
        """
        held = _held(f"{self._folder}/{STORE}", fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            held.__enter__()
        except BlockingIOError:
            msg = "another rvbuild is using the store"
            hint = "run it again when that one is done"
            raise StoreError(msg, where=self._root, hint=hint) from None
        try:
            yield
        finally:
            held.__exit__(None, None, None)
