"""The bytes of an object on their way into a cache.

Knows: files that can seek. Must not know: caches.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from rvbuild.core.digest import Digest


def check_size(item: Digest, data: BinaryIO) -> None:
    """See that a file has the size of an object, before anything is sent.

    Raises:
        ValueError: it has another one.
    """
    size = data.seek(0, os.SEEK_END)
    if size != item.size:
        msg = f"an object of {item.size} bytes came with {size}"
        raise ValueError(msg)


def pieces_of(item: Digest, data: BinaryIO, at_once: int) -> Iterator[bytes]:
    """What a file has, from its start, in pieces of at most so many bytes.

    Raises:
        ValueError: it became shorter than the object; what was sent of it is a part.
    """
    data.seek(0)
    left = item.size
    while piece := data.read(min(at_once, left)):
        left -= len(piece)
        yield piece
    if left:
        msg = f"an object of {item.size} bytes ended {left} bytes early"
        raise ValueError(msg)
