"""SHA-256 of a long stream beside its writing, so that both cores are used.

Knows: threads. Must not know: files, stores.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from types import TracebackType
from typing import Self

ALONE = 4 << 20
"""Bytes that are hashed before a thread is worth its start."""

_AHEAD = 8


class StreamHash:
    """Hashes what it is given, in order; in a thread of its own once that is much.

    hashlib and write(2) both leave the interpreter's lock, so they run at once. At most
    eight chunks wait. A context manager, so that the thread ends with the stream.
    """

    def __init__(self) -> None:
        self.size = 0
        self._hasher = hashlib.sha256()
        self._chunks: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._join()

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        if self._thread is None and self.size > ALONE:
            self._thread = threading.Thread(target=self._work, name="hash", daemon=True)
            self._thread.start()
        if self._thread is None:
            self._hasher.update(chunk)
        else:
            self._chunks.put(chunk)

    def hexdigest(self) -> str:
        """The hash of all that was given; nothing more may be given."""
        self._join()
        return self._hasher.hexdigest()

    def _work(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            self._hasher.update(chunk)

    def _join(self) -> None:
        if self._thread is not None:
            self._chunks.put(None)
            self._thread.join()
            self._thread = None
