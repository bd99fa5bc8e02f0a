"""A new inode with the content of an open file, which nobody else can have open for writing.

Knows: reflinks, holes, and that the digest is of what was written. Must not know: trees.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator

from rvbuild.core.digest import Digest
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.hashing import StreamHash
from rvbuild.stores.records import CREATE, write_all

PIECE = 1 << 20
_SMALL = 1 << 14

_FICLONE = 0x40049409
_ZEROS = bytes(PIECE)


def fill(target: int, source: int, advance: Callable[[int], None]) -> Digest:
    """Give the new file ``target`` the content of ``source``; the digest of what it holds then.

    Args:
        target: Open for reading and writing, and empty.
        source: Open for reading. May change meanwhile: the digest is of what was taken.
        advance: Called with the bytes of each piece; may raise.

    Raises:
        OSError: one could not be read, or the other not be written.
    """
    cloned = _clone(target, source)
    with StreamHash() as hasher:
        for piece, is_hole in _pieces(target if cloned else source):
            hasher.update(piece)
            if is_hole or cloned:
                os.lseek(target, len(piece), os.SEEK_CUR)
            else:
                write_all(target, piece)
            advance(len(piece))
        digest = Digest(hasher.hexdigest(), hasher.size)
    if not cloned:  # else it has its size, and XFS would give it a block more
        os.ftruncate(target, digest.size)
    return digest


def copy(source: int, path: str, at: int, mode: int) -> Digest:
    """A new file with the content of an open one, ``mode`` and the one timestamp.

    Args:
        source: Open for reading.
        path: Where the new file is, below the open folder ``at``.
        at: That folder.
        mode: The new file's, whatever the umask.

    Raises:
        OSError: ``path`` is there already, ``source`` could not be read, or the disk could not
            take it.
    """
    target = os.open(path, CREATE, 0o600, dir_fd=at)
    try:
        small = os.pread(source, _SMALL + 1, 0)
        if len(small) <= _SMALL:  # a third of the time, and most files are
            write_all(target, small)
            digest = Digest.of(small)
        else:
            digest = fill(target, source, lambda _size: None)
        os.fchmod(target, mode)
        os.utime(target, ns=(EPOCH_NS, EPOCH_NS))
    finally:
        os.close(target)
    return digest


def _clone(target: int, source: int) -> bool:
    """Share the extents, where the file system can."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # any reason: copying tells what is really wrong
        return False
    return True


def _pieces(file: int) -> Iterator[tuple[bytes, bool]]:
    """What a reader would see, and whether it is a hole."""
    at = 0
    for start, end in _extents(file):
        while at < start:
            size = min(PIECE, start - at)
            at += size
            yield (_ZEROS if size == PIECE else bytes(size)), True
        while (end is None or at < end) and (piece := _read(file, at, end)):
            at += len(piece)
            yield piece, False


def _read(file: int, at: int, end: int | None) -> bytes:
    return os.pread(file, PIECE if end is None else min(PIECE, end - at), at)


def _extents(file: int) -> Iterator[tuple[int, int | None]]:
    """Where data begins and ends (None: where the file does); holes lie before and between."""
    there = os.fstat(file)
    if there.st_blocks * 512 >= there.st_size:
        yield 0, None
        return
    at = 0
    while at < there.st_size:
        start, end = _data_after(file, at, there.st_size)
        yield start, end
        at = end


def _data_after(file: int, at: int, size: int) -> tuple[int, int]:
    try:
        start = os.lseek(file, at, os.SEEK_DATA)
        return start, os.lseek(file, start, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # only a hole is left
            return size, size
        return at, size  # a file system that tells nothing of holes
