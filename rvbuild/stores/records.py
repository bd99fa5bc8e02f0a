"""Records: the small files of the store that are read whole and replaced whole.

Knows: how one becomes durable, and how one is read that may be anything.
Must not know: what is in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from rvbuild.core.errors import Damaged, NewerRecord, VerificationError
from rvbuild.files.folder import A_FILE, WrongKind, kind_at, open_file
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.barrier import sync_file
from rvbuild.stores.layout import PLAIN, REPAIR, Layout

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

MOST = 1 << 30
"""Bytes of the largest record: the ``Tree`` message of ten million files. What is larger is
none, and memory would not take it."""


def create(path: str, data: bytes, mode: int, at: int | None = None, *, durable: bool) -> None:
    """A new file with ``data``, ``mode`` (whatever the umask) and the one timestamp.

    Raises:
        OSError: it is there already, or the disk could not take it.
    """
    fd = os.open(path, CREATE, mode, dir_fd=at)
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)
        os.utime(fd, ns=(EPOCH_NS, EPOCH_NS))
        sync_file(fd, durable=durable)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """write(2) until all is written.

    Raises:
        OSError: the disk could not take it.
    """
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def read_all(fd: int) -> bytes:
    """The whole of an open file.

    Raises:
        OSError: it could not be read, or is too large for anything that is read whole.
    """
    size = os.fstat(fd).st_size
    if size > MOST:
        msg = f"{size} bytes, which no record has"
        raise OSError(errno.EFBIG, msg)
    data = os.read(fd, size + 1)
    if len(data) == size:  # to the end at once: a third of what a file object costs
        return data
    with open(fd, "rb", closefd=False) as file:
        return data + file.read()


@contextlib.contextmanager
def damage_at(path: str) -> Iterator[None]:
    """Say of what is wrong with a record where the record is, and what to do about damage.

    Raises:
        VerificationError: the record is damaged.
        NewerRecord: its version is newer.
    """
    try:
        yield
    except NewerRecord as error:
        error.where = path
        raise
    except VerificationError as error:
        raise Damaged(error.message, where=path, hint=REPAIR) from error


def read_record(layout: Layout, path: str) -> bytes:
    """The bytes at ``path``, a path of the store.

    Raises:
        FileNotFoundError: it is missing.
        WrongKind: it is no file, or something on the way is no folder.
        OSError: it could not be read.
    """
    with layout.above(path) as (at, name):
        try:
            fd = open_file(name, at)
        except WrongKind as error:
            raise error.at(path) from error
        try:
            return read_all(fd)
        finally:
            os.close(fd)


def read_or_none(layout: Layout, path: str) -> bytes | None:
    """The bytes at ``path``, a path of the store, if something is there.

    Raises:
        WrongKind: it is no file, or something on the way is no folder.
        OSError: it could not be read.
    """
    with contextlib.suppress(FileNotFoundError):
        return read_record(layout, path)
    return None


def put_record(
    layout: Layout, path: str, data: bytes, *, durable: bool, used: bool = False
) -> None:
    """Let ``data`` be at ``path``, a path of the store, instead of what was there.

    Durable once this returns. With ``used`` its time is now, else the one timestamp.

    Raises:
        WrongKind: something else than a file is there, or something on the way is no folder.
        OSError: the disk could not take it.
    """
    with (
        layout.above(layout.temporary()) as (tmp, spare),
        layout.above(path, make=True) as (at, name),
    ):
        try:
            create(spare, data, PLAIN, tmp, durable=durable)
            if used:
                os.utime(spare, dir_fd=tmp, follow_symlinks=False)
            os.rename(spare, name, src_dir_fd=tmp, dst_dir_fd=at)
        except IsADirectoryError as error:
            discard(spare, tmp)
            raise WrongKind(path, kind_at(name, at), A_FILE) from error
        except BaseException:
            discard(spare, tmp)
            raise
        sync_file(at, durable=durable)


def forget_record(layout: Layout, path: str) -> None:
    """Let nothing be at ``path``, a path of the store.

    Raises:
        OSError: it could not be removed.
    """
    with contextlib.suppress(FileNotFoundError), layout.above(path) as (at, name):
        os.unlink(name, dir_fd=at)


def discard(name: str, at: int) -> None:
    """Remove a temporary file that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)
