"""Blobs: plain bytes under their SHA-256, shared by hard links.

Knows: how a blob gets its name and its two modes. Must not know: trees.

``cas/`` has every blob. ``exec/`` has those that some tree needs executable, because
hard links share a mode; a blob that only executables use is one file with both names.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.stores.barrier import sync_file, sync_folder
from rvbuild.stores.layout import EPOCH_NS, EXECUTABLE, PLAIN, REPAIR, Layout, guarded, link, rename

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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


class Blobs:
    """The blobs of the store at ``layout``."""

    def __init__(self, layout: Layout, *, durable: bool) -> None:
        self._layout = layout
        self._durable = durable

    def has(self, blob: Digest) -> bool:
        """Whether the blob is there, by name and size."""
        try:
            return os.stat(self._layout.blob(blob.hash)).st_size == blob.size
        except FileNotFoundError:
            return False

    def read(self, blob: Digest) -> bytes:
        """The bytes of ``blob``, verified.

        Raises:
            KeyError: it is missing.
            VerificationError: it is there and damaged.
            StoreError: it could not be read.
        """
        path = self._layout.blob(blob.hash)
        with guarded(path, "read"):
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                raise KeyError(str(blob)) from None
        if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.hash:
            msg = "a blob of the store is damaged"
            raise VerificationError(msg, where=path, hint=REPAIR)
        return data

    def write(self, data: bytes) -> Digest:
        """Store ``data``; durable once this returns.

        Raises:
            StoreError: it could not be written.
        """
        blob = Digest.of(data)
        if self.has(blob):
            return blob
        path = self._layout.blob(blob.hash)
        spare = self._layout.temporary()
        with guarded(path):
            try:
                create(spare, data, PLAIN, durable=self._durable)
                rename(spare, path)
            except BaseException:
                discard(spare)
                raise
            sync_folder(os.path.dirname(path), durable=self._durable)
        return blob

    def share(self, blob: Digest, path: str, at: int, *, executable: bool) -> bool:
        """Hard link the blob to the new ``path``; False where the caller must write it.

        Raises:
            OSError: ``path`` exists, or the disk could not take it.
        """
        source = self._layout.blob(blob.hash, executable=executable)
        if not os.access(source, os.F_OK):  # cheaper than an exception, and the common case
            return False
        try:
            os.link(source, path, dst_dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.EMLINK:
                return False
            raise
        if is_blob(os.stat(path, dir_fd=at, follow_symlinks=False), blob, executable=executable):
            return True
        os.unlink(path, dir_fd=at)
        return False

    def adopt(self, path: str, at: int, blob: Digest, spare: str, *, executable: bool) -> None:
        """Give the file ``path`` its name as a blob, or make it a link to the one that has it.

        Its content is ``blob``'s, durable, with the mode and timestamp of a blob.
        ``spare`` is a free path for the moment between two names.

        Raises:
            OSError: the disk could not take it.
        """
        name = self._layout.blob(blob.hash, executable=executable)
        if not self._named(name, path, at):
            there = os.stat(name, follow_symlinks=False)
            if is_blob(there, blob, executable=executable) and _link_again(name, spare):
                os.rename(spare, path, dst_dir_fd=at)
            else:  # damaged, of the other mode, or it has all the links that it can have
                os.link(path, spare, src_dir_fd=at, follow_symlinks=False)
                os.rename(spare, name)
        if executable:
            self._named(self._layout.blob(blob.hash), path, at)

    @staticmethod
    def _named(name: str, path: str, at: int) -> bool:
        try:
            link(path, name, at)
        except FileExistsError:
            return False
        return True

    def twin(self, blob: Digest, spare: str, *, executable: bool) -> None:
        """Make a fresh file of the blob in this mode, from whichever mode is there.

        For a mode that is not there yet, and for a file that has all the links it can have.

        Raises:
            KeyError: the blob is missing.
            VerificationError: it is damaged.
            OSError: the disk could not take it.
        """
        mode = EXECUTABLE if executable else PLAIN
        create(spare, self.read(blob), mode, durable=self._durable)
        rename(spare, self._layout.blob(blob.hash, executable=executable))


def is_blob(there: os.stat_result, blob: Digest, *, executable: bool) -> bool:
    """Whether it is a file of the blob's size and mode."""
    mode = EXECUTABLE if executable else PLAIN
    return there.st_size == blob.size and there.st_mode == stat.S_IFREG | mode


def _link_again(name: str, spare: str) -> bool:
    try:
        os.link(name, spare, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EMLINK:
            return False
        raise
    return True


def discard(path: str) -> None:
    """Remove a temporary file that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
