"""A cache that is a folder: of this machine, of a file server, of a disk that people carry about.

Knows: files, and that others write the same folder meanwhile. Must not know: what is in them.

Rules:

1. A file appears under its name whole, by a rename of one in ``tmp/`` that is on the disk; over
   NFS, too.
2. Nothing below the folder is reached through a link. A link in the place of a file is no file, and
   one in the place of a folder is refused: whoever may write there does not choose what is read or
   written elsewhere. The folder's own path may have links.
3. A folder that is missing is no empty cache, and no write makes it: its disk may be missing.

Example: ``/media/stick/cache`` is on a stick that is not plugged in. The folder ``/media/stick``
is there, and empty. Each question ends with CacheDown, and nothing is written below it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO

from attrs import field, frozen

from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.content import Content
from rvbuild.caches.folder_listing import ABSENT, entries_below, strangers_below
from rvbuild.caches.names import (
    RECORD_LIMIT,
    TEMPORARY,
    check_name,
    object_name,
    temporary_name,
)
from rvbuild.caches.timed import TimedCache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheError, CacheMiss, CacheRefused
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.core.system_fault import OF_ONE_PATH, Site, hint_for
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.files.replacement import replacing
from rvbuild.files.way import entered
from rvbuild.transfers.addresses import local_path

PIECE = 1 << 20
"""Bytes of a file that are read at once."""
_FOLDER = 0o777
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_HELPLESS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST),
}
"""What is the same when one asks again."""


_OF_ONE_FILE = {*OF_ONE_PATH, errno.EIO}
"""What one file may have, where the others of the cache can be used."""


def _absolute(path: str) -> str:
    return os.path.abspath(path)


def open_cache(address: str, services: CacheServices) -> CollectableCache:
    """The cache in a folder of this machine; see `rvbuild.caches.table`."""
    path = str(local_path(address))
    cache = DirectoryCache(path, durable=services.durable)
    return TimedCache(cache, path, services.wait, services.cancellation)


@frozen
class DirectoryCache:
    """A `CollectableCache` in a folder.

    Attributes:
        path: The folder.
        durable: Whether what was written is on the disk when a call returns.
    """

    path: str = field(converter=_absolute)
    durable: bool = True

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        with self._errors():
            return frozenset(item for item in objects if self._size(item) != item.size)

    def _size(self, item: Digest) -> int | None:
        """How large the file of an object is; None if there is none."""
        name = object_name(item)
        with self._file(name) as fd:
            return None if fd is None else os.fstat(fd).st_size

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        name = object_name(item)
        with self._errors(name), self._file(name) as fd:
            if fd is None:
                msg = "the cache lacks an object"
                raise CacheMiss(msg, where=self._at(name))
            os.lseek(fd, begin, os.SEEK_SET)
            yield from iter(partial(os.read, fd, PIECE), b"")

    def write(self, item: Digest, data: BinaryIO) -> None:
        content = Content.of_file(item, data, PIECE)
        with self._errors():
            if self._size(item) != item.size:
                with self._new(object_name(item)) as file:
                    file.writelines(content.pieces())

    def record(self, name: str) -> bytes | None:
        with self._errors(name), self._file(check_name(name)) as fd:
            if fd is None:
                return None
            with open(fd, "rb", closefd=False) as file:
                data = file.read(min(os.fstat(fd).st_size, RECORD_LIMIT) + 1)
        if len(data) > RECORD_LIMIT:
            msg = f"a record of more than {RECORD_LIMIT} bytes"
            raise CacheRefused(msg, where=self._at(name))
        return data

    def write_record(self, name: str, data: bytes) -> None:
        with self._errors(name), self._new(check_name(name)) as file:
            file.write(data)

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        way = check_name(prefix.removesuffix("/")).split("/") if prefix else []
        with self._errors(), suppress(*ABSENT), self._folder(way) as top:
            yield from entries_below(top, prefix)

    def strangers(self, prefix: str) -> Iterator[str]:
        way = check_name(prefix.removesuffix("/")).split("/") if prefix else []
        with self._errors(), suppress(*ABSENT), self._folder(way) as top:
            yield from strangers_below(top, prefix)

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            data = self.record(name)
            if data is not None:
                yield name, data

    def remove(self, name: str) -> None:
        *folders, last = check_name(name).split("/")
        with self._errors(name), suppress(*ABSENT), self._folder(folders) as at:
            os.unlink(last, dir_fd=at)
            if self.durable:
                os.fsync(at)

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}"

    @contextmanager
    def _root(self) -> Iterator[int]:
        """The folder itself.

        Raises:
            CacheDown: it is missing.
        """
        try:
            fd = os.open(self.path, _ROOT)
        except FileNotFoundError as error:
            raise self._no_disk() from error
        try:
            yield fd
        finally:
            os.close(fd)

    def _no_disk(self) -> CacheDown:
        msg = "there is no such folder"
        hint = "see that its disk is mounted; for a new cache, make the folder"
        return CacheDown(msg, where=self.path, hint=hint)

    @contextmanager
    def _folder(self, way: Sequence[str]) -> Iterator[int]:
        with self._root() as root, entered(root, way, path=self.path) as at:
            yield at

    @contextmanager
    def _file(self, name: str) -> Iterator[int | None]:
        """A regular file, open to be read; None if there is none."""
        *folders, last = name.split("/")
        fd = None
        with suppress(FileNotFoundError), self._folder(folders) as at:
            fd = _opened(last, at)
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    @contextmanager
    def _new(self, name: str) -> Iterator[BinaryIO]:
        """A new file, which has the name once the body ended well."""
        *folders, last = name.split("/")
        way = partial(entered, path=self.path, make=_FOLDER, durable=self.durable)
        mine = temporary_name().removeprefix(TEMPORARY)
        with (
            self._root() as root,
            way(root, [TEMPORARY.rstrip("/")]) as staging,
            way(root, folders) as at,
            replacing(last, mine, at=at, staging=staging, durable=self.durable) as file,
        ):
            yield file

    @contextmanager
    def _errors(self, name: str = "") -> Iterator[None]:
        """Make what the system says an error of caches.

        Args:
            name: Of the one file that is read or written; empty for several.
        """
        try:
            yield
        except OSError as error:
            raise self._error(error, name) from error

    def _error(self, error: OSError, name: str) -> CacheError:
        is_of_file = error.errno in _OF_ONE_FILE and error.filename != self.path
        where = self._at(name) if name and is_of_file else self.path
        where = error.path if isinstance(error, WrongKind) else where
        reason = error.problem if isinstance(error, WrongKind) else error.strerror or str(error)
        hint = hint_for(error.errno, Site.CACHE)
        if isinstance(error, WrongKind) or error.errno in _HELPLESS:
            return CacheRefused(f"the cache cannot be used: {reason}", where=where, hint=hint)
        return CacheDown(f"the cache does not answer: {reason}", where=where, hint=hint)


def _opened(name: str, at: int) -> int | None:
    """The regular file of that name; None for anything else, which is never opened."""
    try:
        return open_file(name, at)
    except WrongKind:
        return None
