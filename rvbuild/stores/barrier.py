"""Waiting until what was written is on the disk, once for all who wait.

Knows: syncfs(2), and that one that starts after my last write is enough for me.
Must not know: what was written.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import weakref
from contextlib import suppress

from rvbuild.core.errors import StoreError
from rvbuild.stores.layout import store_error

AHEAD = 32 << 20
"""Bytes after which the disk begins to take them."""


class Barrier:
    """Group commit for one file system.

    syncfs reports write-back errors since its file descriptor was opened (Linux 5.8), so
    the descriptor lives as long as the barrier, and is opened before anything is written.
    It reports each once, and what was lost stays lost: after a failure none succeeds.
    Nor after ^C during syncfs: what it would have said is not known, and not said again.
    """

    def __init__(self, folder: str, *, durable: bool = True) -> None:
        self._folder = folder
        self._durable = durable
        self._turn = threading.Condition()
        self._started = self._finished = self._ahead = 0
        self._running = False
        self._failures: dict[int, OSError] = {}
        self._broken: OSError | None = None
        self._syncfs = ctypes.CDLL(None, use_errno=True).syncfs
        self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._fd)

    def wait(self) -> None:
        """Return when all that was written before this call is durable.

        Raises:
            StoreError: the disk could not take it.
        """
        if not self._durable:
            return
        with self._turn:
            ticket = self._started + 1
            while self._finished < ticket and self._running:
                self._turn.wait()
            if self._finished >= ticket:
                self._raise_failure(ticket)
                return
            self._started, self._running, self._ahead = ticket, True, 0
        failure: OSError | None = InterruptedError(errno.EINTR, "interrupted")
        try:
            failure = self._broken or self._sync()
        finally:  # ^C here must not leave the others waiting for ever
            with self._turn:
                self._running, self._finished = False, ticket
                self._broken = self._broken or failure
                if failure:
                    self._failures[ticket] = failure
                self._turn.notify_all()
        self._raise_failure(ticket)

    def wrote(self, size: int) -> None:
        """Say that so many bytes were written: the disk takes them while more are made.

        Linux would begin half a minute later, and who waits in the end would wait for all of them.
        Nobody waits here; a failure is told to the next who does.
        """
        self._ahead += size  # without the lock: to lose some of it does no harm
        if self._ahead < AHEAD or self._running or not self._durable:
            return
        self._ahead = 0
        threading.Thread(target=self._begin, name="sync", daemon=True).start()

    def _begin(self) -> None:
        with suppress(StoreError):
            self.wait()

    def _sync(self) -> OSError | None:
        if self._syncfs(self._fd) == 0:
            return None
        number = ctypes.get_errno()
        return OSError(number, os.strerror(number))

    def _raise_failure(self, ticket: int) -> None:
        failure = self._failures.get(ticket)
        if failure:
            raise store_error(failure, self._folder) from failure


def sync_file(fd: int, *, durable: bool) -> None:
    """fsync(2), where durability is wanted."""
    if durable:
        os.fsync(fd)
