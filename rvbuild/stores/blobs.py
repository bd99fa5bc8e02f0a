"""Blobs: plain bytes under their SHA-256, shared by hard links.

Knows: where blobs are, alone and many at once. Must not know: trees, how a file gets a name.

``cas/`` has every blob. ``exec/`` has those that some tree needs executable, because
hard links share a mode; a blob that only executables use is one file with both names.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from rvbuild.core.digest import Digest
from rvbuild.core.elf import ByteView
from rvbuild.files.folder import open_file
from rvbuild.stores.barrier import Barrier, sync_file
from rvbuild.stores.blob_shelves import BlobShelves, read_blob, verified
from rvbuild.stores.layout import PLAIN, Layout, guarded, missing_blob
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.records import create, put_record, read_record
from rvbuild.stores.shelf import Shelf
from rvbuild.stores.staging import Staging, staged


class LocalCas:
    """The blobs of the store at ``layout``; ``core.ports.cas``.

    Args:
        layout: The store's.
        locks: Held while many blobs are written.
        barrier: Makes what was written durable.
        durable: Whether it has to be.
    """

    def __init__(
        self, layout: Layout, locks: LocalLocks, barrier: Barrier, *, durable: bool
    ) -> None:
        self._layout = layout
        self._locks = locks
        self._barrier = barrier
        self._durable = durable

    def has(self, blob: Digest) -> bool:
        """Whether the blob is there, by name and size."""
        return self._size(blob.hash) == blob.size

    def find(self, sha256: str) -> Digest | None:
        """The digest of the blob with that hash, by its name and size; None: there is none.

        Raises:
            StoreError: nobody can tell.
        """
        with guarded(self._layout.blob(sha256), "read"):
            size = self._size(sha256)
        return None if size is None else Digest(sha256, size)

    def _size(self, sha256: str) -> int | None:
        try:
            with self._layout.above(self._layout.blob(sha256)) as (at, name):
                there = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return there.st_size if stat.S_ISREG(there.st_mode) else None

    def read(self, blob: Digest) -> bytes:
        """The bytes of ``blob``, verified.

        Raises:
            MissingObject: it is missing.
            VerificationError: it is there and damaged.
            StoreError: it could not be read.
        """
        path = self._layout.blob(blob.hash)
        with guarded(path, "read"):
            try:
                data = read_record(self._layout, path)
            except FileNotFoundError:
                raise missing_blob(path) from None
        return verified(data, blob, path)

    def read_each(self, blobs: Iterable[Digest]) -> Iterator[bytes]:
        """The bytes of many, each verified; the way to them is gone once.

        Raises:
            As ``read`` does.
        """
        with ExitStack() as stack:
            with guarded(self._layout.cas, "read"):
                shelf = stack.enter_context(Shelf(self._layout, self._layout.cas))
            for blob in blobs:
                with guarded(self._layout.blob(blob.hash), "read"):
                    data = read_blob(shelf, blob)
                yield data

    @contextlib.contextmanager
    def view(self, blob: Digest) -> Iterator[ByteView]:
        """The bytes of ``blob`` where they are: not verified, and not all in memory.

        Raises:
            MissingObject: it is missing.
            StoreError: it could not be read.
        """
        path = self._layout.blob(blob.hash)
        with ExitStack() as stack:
            with guarded(path, "read"):
                try:
                    at, name = stack.enter_context(self._layout.above(path))
                    fd = open_file(name, at)
                except FileNotFoundError:
                    raise missing_blob(path) from None
                stack.callback(os.close, fd)
                size = os.fstat(fd).st_size
                # nothing can be mapped where nothing is
                data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ) if size else None
            yield stack.enter_context(data) if data else b""

    def write(self, data: bytes) -> Digest:
        """Store ``data``; durable once this returns.

        Raises:
            StoreError: it could not be written.
        """
        blob = Digest.of(data)
        path = self._layout.blob(blob.hash)
        with guarded(path):
            if not self.has(blob):
                put_record(self._layout, path, data, durable=self._durable)
            else:  # perhaps another process named it just now, and has not synced the name yet
                with self._layout.above(path) as (at, _):
                    sync_file(at, durable=self._durable)
        return blob

    def write_all(self, blobs: Iterable[bytes]) -> None:
        """Store many blobs, all durable once this returns, with two syncs for all of them.

        Raises:
            StoreError: they could not be written.
        """
        wanted = {Digest.of(data): data for data in blobs}
        with (
            self._locks.shared(),
            staged(self._layout) as staging,
            self.shelves(staging) as shelves,
            guarded(staging.path),
        ):
            new = [blob for blob in wanted if not self.has(blob)]
            for blob in new:
                create(blob.hash, wanted[blob], PLAIN, staging.base, durable=False)
            self._barrier.wait()
            for blob in new:
                shelves.adopt(blob.hash, staging.base, blob, executable=False)
        self._barrier.wait()

    @contextlib.contextmanager
    def shelves(self, staging: Staging) -> Iterator[BlobShelves]:
        """Both folders of blobs, open while one tree takes shape.

        Raises:
            StoreError: one of them is no folder.
        """
        layout = self._layout
        with ExitStack() as stack:
            with guarded(layout.cas):
                plain = stack.enter_context(Shelf(layout, layout.cas))
            with guarded(layout.exec):
                executable = stack.enter_context(Shelf(layout, layout.exec))
            yield BlobShelves(plain, executable, staging.base, durable=self._durable)
