"""A tree while it is being written to a local store.

Knows: how files become durable before they get a name. Must not know: where they come from.

Files go straight to the staging folder, hashed while they are written, or are linked from
blobs that the store has. Symlinks are made last, so that no write can pass through one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator

from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.outline import Outline
from rvbuild.core.paths import check_target
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.core.tree import File, Symlink, Tree
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.barrier import AHEAD
from rvbuild.stores.blob_shelves import BlobShelves
from rvbuild.stores.hashing import StreamHash
from rvbuild.stores.inode import PIECE, fill
from rvbuild.stores.layout import EXECUTABLE, PLAIN, store_error
from rvbuild.stores.records import CREATE, write_all
from rvbuild.stores.staging import Staging

Register = Callable[[Tree, "LocalWriter"], None]


class LocalWriter:
    """A sink that writes to ``staging``; may be used by several threads.

    ``register`` makes the tree permanent, and calls ``settle`` for its files. ``wanted`` is
    called now and then meanwhile, and raises if nobody wants the tree any more. ``wrote`` is
    told how many bytes were written since it was last called.
    """

    def __init__(
        self,
        staging: Staging,
        blobs: BlobShelves,
        register: Register,
        wanted: Wanted,
        wrote: Callable[[int], None],
    ) -> None:
        self._staging = staging
        self._blobs = blobs
        self._register = register
        self._wanted = wanted
        self._wrote = wrote
        self._outline = Outline()
        self._links: dict[str, str] = {}
        self._written: list[tuple[str, File]] = []
        self._placing = threading.Lock()

    def directory(self, path: str) -> None:
        if path:
            with self._placing:
                self._make(self._outline.enter(path))

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        """Write a file; return the SHA-256 of its content in hex."""
        self._reserve(path)
        source = iter(chunks)
        first = next(source, b"")
        second = next(source, None)
        if second is None:
            node = self._whole(path, first, executable=executable)
        else:
            node = self._streamed(path, _chained(first, second, source), executable=executable)
        self._outline.fill(path, node)
        return node.digest.hash

    def symlink(self, path: str, target: str) -> None:
        check_target(target)
        self._reserve(path)
        self._outline.fill(path, Symlink(target))
        self._links[path] = target

    def copy(self, path: str, of: str) -> None:
        self._outline.file(of)  # there is one
        try:
            source = os.open(of, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._staging.at)
            try:
                self.take(path, source, lambda _size: None)
            finally:
                os.close(source)
        except OSError as error:
            raise self._error(error, path) from error

    def take(
        self,
        path: str,
        source: int,
        advance: Callable[[int], None],
        executable: bool | None = None,  # noqa: FBT001 - as a file's own
    ) -> File:
        """Take the content of an open file, and whether its owner may run it: never its inode.

        Returns what is in the tree now.

        Args:
            path: Where it is in the tree.
            source: Open for reading; somebody else may have it open for writing.
            advance: Called with the bytes of each piece; may raise.
            executable: Whether it is in the tree; None: as its owner may run ``source``.

        Raises:
            OSError: ``source`` could not be read, or the disk could not take it.
        """
        self._reserve(path)
        there = os.fstat(source)
        if executable is None:
            executable = bool(there.st_mode & stat.S_IXUSR)
        data = os.read(source, there.st_size + 1) if there.st_size < PIECE else b""
        if len(data) == there.st_size:  # read to its end at once
            node = self._whole(path, data, executable=executable)
            advance(len(data))
        else:
            node = self._filled(path, source, advance, executable=executable)
        self._outline.fill(path, node)
        return node

    def commit(self, expected: Tree | None = None) -> Tree:
        """Register the tree: durable and verified once this returns it."""
        self._wrote(AHEAD)  # all is there: the disk takes it while folders are hashed or compared
        tree = self._outline.tree(expected)
        self._register(tree, self)
        return tree

    def settle(self) -> None:
        """Name the blobs, make the symlinks, finish the folders. All content is durable.

        Raises:
            StoreError: the disk could not take it.
        """
        staging, path = self._staging, ""
        try:
            for path, node in self._written:
                self._wanted()
                self._blobs.adopt(path, staging.at, node.digest, executable=node.executable)
            for path, target in self._links.items():
                staging.make_symlink(path, target)
            for path in self._outline.directories:
                staging.finish_folder(path)
        except OSError as error:
            raise self._error(error, path) from error

    def _reserve(self, path: str) -> None:
        with self._placing:
            self._make(self._outline.reserve(path))

    def _make(self, folders: list[str]) -> None:
        for folder in folders:
            try:
                self._staging.make_folder(folder)
            except OSError as error:
                raise self._error(error, folder) from error

    def _whole(self, path: str, data: bytes, *, executable: bool) -> File:
        node = File(Digest(hashlib.sha256(data).hexdigest(), len(data)), executable)
        at = self._staging.at
        try:
            if self._blobs.share(node.digest, path, at, executable=executable):
                return node
            fd = self._open(path, executable=executable)
            try:
                write_all(fd, data)
                self._finish(fd, executable=executable)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._error(error, path) from error
        self._wrote(len(data))
        self._written.append((path, node))
        return node

    def _streamed(self, path: str, chunks: Iterator[bytes], *, executable: bool) -> File:
        try:
            fd = self._open(path, executable=executable)
        except OSError as error:
            raise self._error(error, path) from error
        try:
            with StreamHash() as hasher:
                for chunk in chunks:
                    hasher.update(chunk)
                    self._write(fd, chunk, path)
                    self._wrote(len(chunk))
                digest = Digest(hasher.hexdigest(), hasher.size)
            self._finish(fd, executable=executable)
        finally:
            os.close(fd)
        node = File(digest, executable)
        self._written.append((path, node))
        return node

    def _filled(
        self, path: str, source: int, advance: Callable[[int], None], *, executable: bool
    ) -> File:
        def took(size: int) -> None:
            self._wrote(size)
            advance(size)

        fd = self._open(path, executable=executable)
        try:
            digest = fill(fd, source, took)
            self._finish(fd, executable=executable)
        finally:
            os.close(fd)
        node = File(digest, executable)
        self._written.append((path, node))
        return node

    def _open(self, path: str, *, executable: bool) -> int:
        return os.open(path, CREATE, EXECUTABLE if executable else PLAIN, dir_fd=self._staging.at)

    def _write(self, fd: int, chunk: bytes, path: str) -> None:
        try:  # not around the loop: errors of the source are not the store's
            write_all(fd, chunk)
        except OSError as error:
            raise self._error(error, path) from error

    def _finish(self, fd: int, *, executable: bool) -> None:
        if not self._staging.exact:
            os.fchmod(fd, EXECUTABLE if executable else PLAIN)
        os.utime(fd, ns=(EPOCH_NS, EPOCH_NS))

    def _error(self, error: OSError, path: str) -> StoreError:
        return store_error(error, f"{self._staging.tree}/{path}")


def _chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest
