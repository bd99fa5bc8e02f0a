"""Files of this machine that stand where a download could: of a mirror, an index, a registry.

Knows: which files may be read in place of a server. Must not know: which addresses there are, what
the bytes are.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.transfer import DOCUMENT_LIMIT, DOWNLOAD_LIMIT, Received, Transfer

_AT_ONCE = 1 << 20


@frozen
class LocalFiles:
    """Reads files by their paths, as a `Transport` does by their URLs.

    Rules:

    1. Only a regular file is read. A pipe may never have a writer, and a device never ends.
    2. The limits and the expected size are those of a download (`Transfer`).
    3. The reading ends when it is cancelled.

    Example: an address is ``file:///dev/zero``. It is a device, so this is a SourceError, and the
    next address is asked.

    Attributes:
        cancellation: Asked before each piece.
    """

    cancellation: Cancellation

    def read(self, path: Path, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """A small file, whole.

        Raises: as ``copy``.
        """
        to = io.BytesIO()
        self.copy(path, to, limit=limit)
        return to.getvalue()

    def copy(
        self,
        path: Path,
        to: BinaryIO,
        *,
        expect_size: int | None = None,
        limit: int = DOWNLOAD_LIMIT,
        advance: Advance = no_progress,
    ) -> Received:
        """Write a file to ``to``, so that what is checked is what is used.

        Args:
            path: Of this machine.
            to: Written from its present position on.
            expect_size: Bytes; any other size is refused.
            limit: Bytes; more is refused.
            advance: Told of every piece.

        Raises:
            NotThere: there is none.
            SourceError: it is no regular file, too large, or cannot be read.
            Interrupted: the run was cancelled.
            WrongContent: the size is not ``expect_size``.
            StoreError: ``to`` cannot be written.
        """
        transfer = Transfer(
            str(path), to, expect_size=expect_size, limit=limit, hashed=True, advance=advance
        )
        for piece in self._pieces(path):
            transfer.take(piece)
        return transfer.finish()

    def _pieces(self, path: Path) -> Iterator[bytes]:
        try:
            with open(path, "rb", buffering=0, opener=_open) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    msg = "not a regular file"
                    raise SourceError(msg, where=str(path))
                self.cancellation.refuse()
                while piece := file.read(_AT_ONCE):
                    yield piece
                    self.cancellation.refuse()
        except FileNotFoundError as error:
            msg = "not there (no such file)"
            raise NotThere(msg, where=str(path)) from error
        except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
            reason = getattr(error, "strerror", None) or str(error)
            msg = f"cannot be read: {reason}"
            raise SourceError(msg, where=str(path)) from error


def _open(path: str, flags: int) -> int:
    """Open without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)
