"""The names that blobs have, for the files of one tree.

Knows: how a file gets its name as a blob and its two modes, and is read by it. Must not know:
trees, who writes at the same time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Damaged
from rvbuild.files.folder import A_FILE, WrongKind, kind_at, open_file
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.inode import copy
from rvbuild.stores.layout import EXECUTABLE, PLAIN, REPAIR, missing_blob
from rvbuild.stores.records import create, read_all
from rvbuild.stores.shelf import Shelf
from rvbuild.stores.staging import SPARE


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
        source, where = _opened(self._plain, blob)
        try:
            if copy(source, path, at, mode) != blob:
                raise damaged_blob(where)
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
        create(SPARE, read_blob(self._plain, blob), mode, self._base, durable=self._durable)
        shelf = self.shelf(executable=executable)
        self._replace(shelf, shelf.place(blob.hash))

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


def read_blob(shelf: Shelf, blob: Digest) -> bytes:
    """The bytes of a blob of a shelf, verified.

    Raises:
        MissingObject: it is missing.
        VerificationError: it is there and damaged.
    """
    file, path = _opened(shelf, blob)
    try:
        return verified(read_all(file), blob, path)
    finally:
        os.close(file)


def _opened(shelf: Shelf, blob: Digest) -> tuple[int, str]:
    """The blob, open for reading, and its path for people."""
    path = f"{shelf.path}/{blob.hash[:2]}/{blob.hash}"
    try:
        return open_file(shelf.find(blob.hash), shelf.fd), path
    except FileNotFoundError:
        raise missing_blob(path) from None
    except WrongKind as error:
        raise error.at(path) from error


def verified(data: bytes, blob: Digest, path: str) -> bytes:
    """The bytes, if they are those of the blob.

    Raises:
        VerificationError: they are others.
    """
    if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.hash:
        raise damaged_blob(path)
    return data


def damaged_blob(path: str) -> Damaged:
    """What is wrong with a blob of other bytes than its name says."""
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
