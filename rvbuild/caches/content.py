"""Bytes on their way into a cache.

Knows: files that can seek. Must not know: caches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from attrs import frozen

from rvbuild.core.digest import Digest

PIECE = 1 << 18
"""Bytes that are sent at once."""


@frozen
class Content:
    """What is sent: its SHA-256 and size, and its pieces, each time from their start."""

    digest: Digest
    pieces: Callable[[], Iterator[bytes]]

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Bytes in memory."""
        return cls(Digest.of(data), lambda: iter([data]))

    @classmethod
    def of_file(cls, item: Digest, data: BinaryIO, at_once: int = PIECE) -> Content:
        """An object in a file that can seek.

        Raises:
            ValueError: the file has another size.
        """
        size = data.seek(0, os.SEEK_END)
        if size != item.size:
            msg = f"an object of {item.size} bytes came with {size}"
            raise ValueError(msg)
        return cls(item, partial(_pieces, item.size, data, at_once))


def _pieces(size: int, data: BinaryIO, at_once: int) -> Iterator[bytes]:
    """What a file has, from its start.

    Raises:
        ValueError: it became shorter; what was sent of it is a part.
    """
    data.seek(0)
    left = size
    while piece := data.read(min(at_once, left)):
        left -= len(piece)
        yield piece
    if left:
        msg = f"an object of {size} bytes ended {left} bytes early"
        raise ValueError(msg)
