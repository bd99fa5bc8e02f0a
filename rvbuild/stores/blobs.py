"""Blobs: plain bytes under their SHA-256, shared by hard links.

Knows: how a blob gets its name and its two modes. Must not know: trees.

``cas/`` has every blob. ``exec/`` has those that some tree needs executable, because
hard links share a mode; a blob that only executables use is one file with both names.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from rvbuild.core.digest import Digest
from rvbuild.core.elf import ByteView
from rvbuild.core.errors import Damaged
from rvbuild.files.folder import A_FILE, WrongKind, kind_at, open_file
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.barrier import Barrier, sync_file
from rvbuild.stores.inode import copy
from rvbuild.stores.layout import EXECUTABLE, PLAIN, REPAIR, Layout, guarded, missing_blob
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.records import create, put_record, read_all, read_record
from rvbuild.stores.shelf import Shelf
from rvbuild.stores.staging import SPARE, Staging, staged


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
        return _verified(data, blob, path)

    def read_each(self, blobs: Iterable[Digest]) -> Iterator[bytes]:
        """The bytes of many, each verified; the way to them is gone once.

        Raises:
            As ``read`` does.
        """
        with ExitStack() as stack:
            with guarded(self._layout.cas, "read"):
                shelf = stack.enter_context(Shelf(self._layout, self._layout.cas))
            for blob in blobs:
                path = self._layout.blob(blob.hash)
                with guarded(path, "read"):
                    data = _content(shelf, blob, path)
                yield _verified(data, blob, path)

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


class BlobShelves:
    """Gives the files of one tree their names as blobs, or the blobs' as their own.

    The rule: no two paths of a tree share an inode. A step would see that they do (``tar``,
    ``cp -a`` and ``du`` look), and see it not where the file system's limit on links was reached.

    1. The first path that has some content, in one mode, is a link to the blob.
    2. Each further path with it is a copy, with no other name.

    Example: a tree with three empty files, one of them executable, has the blob, its executable
    twin, and one copy.

    Paths of a tree's files are below an open folder ``at``. Several threads may call.

    Args:
        plain: The blobs.
        executable: The executable twins.
        base: An open folder in which a name is free for the moment between two names.
        durable: Whether what is written is synced.
    """

    def __init__(self, plain: Shelf, executable: Shelf, base: int, *, durable: bool) -> None:
        self._plain = plain
        self._executable = executable
        self._base = base
        self._durable = durable
        self._first: dict[tuple[str, bool], str] = {}
        self.has_copies = False  # made by ``place``, and not synced

    def shelf(self, *, executable: bool) -> Shelf:
        """Where blobs of a mode are."""
        return self._executable if executable else self._plain

    def _is_first(self, blob: Digest, path: str, *, executable: bool) -> bool:
        """Whether it is this path of the tree that is the blob, now and from now on."""
        return self._first.setdefault((blob.hash, executable), path) == path

    def place(self, blob: Digest, path: str, at: int, *, executable: bool) -> None:
        """Make the new file ``path`` of the tree, from a blob that the store has.

        Raises:
            MissingObject: the blob is missing.
            VerificationError: it is damaged.
            OSError: ``path`` exists, or the disk could not take it.
        """
        if not self._is_first(blob, path, executable=executable):
            self._copy(blob, path, at, EXECUTABLE if executable else PLAIN)
        elif not self.link(blob, path, at, executable=executable):
            self.twin(blob, executable=executable)
            if not self.link(blob, path, at, executable=executable):
                raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    def _copy(self, blob: Digest, path: str, at: int, mode: int) -> None:
        source, where = self._opened(blob)
        try:
            if copy(source, path, at, mode) != blob:
                raise _damaged(where)
        finally:
            os.close(source)
        self.has_copies = True

    def share(self, blob: Digest, path: str, at: int, *, executable: bool) -> bool:
        """Like ``link``, for a blob that the store hardly has: asking is cheaper than failing.

        Nor is anything linked where another path of the tree is the blob. An executable twin
        alone is not enough: what links to it would never name the blob.
        """
        shelf = self.shelf(executable=executable)
        name = shelf.place(blob.hash)
        known = not shelf.is_new(blob.hash) and os.access(name, os.F_OK, dir_fd=shelf.fd)
        if known and executable:
            known = os.access(name, os.F_OK, dir_fd=self._plain.fd)
        first = known and self._is_first(blob, path, executable=executable)
        return first and self.link(blob, path, at, executable=executable)

    def link(self, blob: Digest, path: str, at: int, *, executable: bool) -> bool:
        """Hard link the blob to the new ``path``; False where the caller must write it.

        Raises:
            OSError: ``path`` exists, or the disk could not take it.
        """
        shelf = self.shelf(executable=executable)
        source = shelf.place(blob.hash)
        try:
            os.link(source, path, src_dir_fd=shelf.fd, dst_dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.EMLINK:
                return False
            raise
        there = os.stat(path, dir_fd=at, follow_symlinks=False)
        if is_blob(there, blob, executable=executable) and _is_untouched(there):
            return True
        os.unlink(path, dir_fd=at)
        return False

    def adopt(self, path: str, at: int, blob: Digest, *, executable: bool) -> None:
        """Give the file ``path`` its name as a blob, or make it a link to the one that has it.

        It stays as it is where another path of the tree is the blob. Its content is ``blob``'s,
        durable, with the mode and timestamp of a blob.

        Raises:
            OSError: the disk could not take it.
        """
        if not self._is_first(blob, path, executable=executable):
            return
        if executable:  # first: whoever finds a twin may think that the blob is there
            self._name_plain(path, at, blob)
        shelf = self.shelf(executable=executable)
        if not _named(shelf, blob, path, at):
            name = shelf.place(blob.hash)
            there = os.stat(name, dir_fd=shelf.fd, follow_symlinks=False)
            sound = is_blob(there, blob, executable=executable) and _is_untouched(there)
            if sound and self._link_again(name, shelf):
                os.rename(SPARE, path, src_dir_fd=self._base, dst_dir_fd=at)
            else:  # damaged, of the other mode, or it has all the links that it can have
                self._supersede(shelf, name, path, at)

    def _name_plain(self, path: str, at: int, blob: Digest) -> None:
        """Let an executable be the blob, too, where there is none or an edited one."""
        if _named(self._plain, blob, path, at):
            return
        name = self._plain.place(blob.hash)
        there = os.stat(name, dir_fd=self._plain.fd, follow_symlinks=False)
        if there.st_size != blob.size or not _is_untouched(there):
            self._supersede(self._plain, name, path, at)

    def _supersede(self, shelf: Shelf, name: str, path: str, at: int) -> None:
        """Give the name of a blob to the file ``path``."""
        os.link(path, SPARE, src_dir_fd=at, dst_dir_fd=self._base, follow_symlinks=False)
        self._replace(shelf, name)

    def twin(self, blob: Digest, *, executable: bool) -> None:
        """Make a fresh file of the blob in this mode, from whichever mode is there.

        For a mode that is not there yet, and for a file that has all the links it can have.

        Raises:
            MissingObject: the blob is missing.
            VerificationError: it is damaged.
            OSError: the disk could not take it.
        """
        mode = EXECUTABLE if executable else PLAIN
        create(SPARE, self._read(blob), mode, self._base, durable=self._durable)
        shelf = self.shelf(executable=executable)
        self._replace(shelf, shelf.place(blob.hash))

    def _read(self, blob: Digest) -> bytes:
        fd, path = self._opened(blob)
        try:
            return _verified(read_all(fd), blob, path)
        finally:
            os.close(fd)

    def _opened(self, blob: Digest) -> tuple[int, str]:
        """The blob, open for reading, and its path for people."""
        name = self._plain.place(blob.hash)
        path = f"{self._plain.path}/{name}"
        try:
            return open_file(name, self._plain.fd), path
        except FileNotFoundError:
            raise missing_blob(path) from None
        except WrongKind as error:
            raise error.at(path) from error

    def _link_again(self, name: str, shelf: Shelf) -> bool:
        try:
            os.link(name, SPARE, src_dir_fd=shelf.fd, dst_dir_fd=self._base, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.EMLINK:
                return False
            raise
        return True

    def _replace(self, shelf: Shelf, name: str) -> None:
        try:
            os.rename(SPARE, name, src_dir_fd=self._base, dst_dir_fd=shelf.fd)
        except IsADirectoryError as error:
            path = f"{shelf.path}/{name}"
            raise WrongKind(path, kind_at(name, shelf.fd), A_FILE) from error


def _content(shelf: Shelf, blob: Digest, path: str) -> bytes:
    try:
        file = open_file(shelf.find(blob.hash), shelf.fd)
    except FileNotFoundError:
        raise missing_blob(path) from None
    except WrongKind as error:
        raise error.at(path) from error
    try:
        return read_all(file)
    finally:
        os.close(file)


def _verified(data: bytes, blob: Digest, path: str) -> bytes:
    if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.hash:
        raise _damaged(path)
    return data


def _damaged(path: str) -> Damaged:
    return Damaged("a blob of the store is damaged", where=path, hint=REPAIR)


def is_blob(there: os.stat_result, blob: Digest, *, executable: bool) -> bool:
    """Whether it is a file of the blob's size and mode."""
    mode = EXECUTABLE if executable else PLAIN
    return there.st_size == blob.size and there.st_mode == stat.S_IFREG | mode


def _is_untouched(there: os.stat_result) -> bool:
    """Whether nobody has written to it since, or whoever did put the time back."""
    return there.st_mtime_ns == EPOCH_NS


def _named(shelf: Shelf, blob: Digest, path: str, at: int) -> bool:
    name = shelf.place(blob.hash)
    try:
        os.link(path, name, src_dir_fd=at, dst_dir_fd=shelf.fd, follow_symlinks=False)
    except FileExistsError:
        return False
    return True
