"""What a file system has left, for bytes and for files.

Knows: statvfs(3), and how little is too little. Must not know: who uses it.
"""

from __future__ import annotations

import os
import sys
from typing import Self

from attrs import frozen

_RESERVE = 256 << 20
"""Bytes that stay free; 1 % of a file system, if that is less."""
_FEW = 16384
"""Inodes that stay free; 1 % of a file system, if that is less."""


@frozen
class FreeSpace:
    """Bytes and files for which there is room, and how much of each must stay.

    A file system without a table of inodes has no number of them: there is room for any.
    """

    bytes: int
    files: int
    bytes_to_stay: int
    files_to_stay: int

    @classmethod
    def of(cls, folder: str) -> Self:
        """That of the file system that ``folder`` is on.

        Raises:
            OSError: it cannot be asked.
        """
        status = os.statvfs(folder)
        return cls(
            status.f_bavail * status.f_frsize,
            status.f_favail if status.f_files else sys.maxsize,
            min(_RESERVE, status.f_blocks * status.f_frsize // 100),
            min(_FEW, status.f_files // 100),
        )

    def lack(self) -> str:
        """What there is too little of; empty if there is enough."""
        if self.bytes < self.bytes_to_stay:
            return "bytes"
        return "inodes" if self.files < self.files_to_stay else ""
