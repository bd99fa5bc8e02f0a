"""A cache that is a web server: any one to read from, one with PUT to write to.

Knows: methods, and ranges. Must not know: connections, logins, what a status means.

What is written is put under ``tmp/`` and moved, if the server can move (DAV). Else it is put in
place at once: nginx and Apache write a file beside and rename it themselves. The first write tries
with an empty file. Folders are made where the server asks for them (409).

Example: nginx with ``dav_methods PUT DELETE`` refuses to move; so each object is one PUT.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import accumulate
from typing import BinaryIO

from attrs import define, field, frozen

from rvbuild.caches.body import check_size, pieces_of
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.names import RECORD_LIMIT, check_name, object_name, temporary_name
from rvbuild.caches.parallel import ask_all
from rvbuild.caches.web_server import Body, WebServer
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheMiss, CacheRefused, SourceError
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.transfers.sender import Answer
from rvbuild.transfers.transfer import content_range
from rvbuild.transfers.urls import origin, shown

PIECE = 1 << 18
"""Bytes of a body that are sent at once."""
_DONE = {200, 201, 202, 204}
_NO_FOLDER = 409
_A_FOLDER = 405
"""What MKCOL gives where a folder is."""


def open_cache(address: str, services: CacheServices) -> CollectableCache:
    """The cache at an http or https address; see `rvbuild.caches.table`."""
    try:
        origin(address)
    except SourceError as error:
        raise CacheRefused(error.message, where=error.where) from error
    if "?" in address or "#" in address:
        msg = "the address of a cache has neither ? nor #"
        raise CacheRefused(msg, where=shown(address))
    return HttpCache(WebServer(address.rstrip("/"), services.transport, services.wait))


@define
class _Moving:
    """Whether the server can move; None before anybody tried."""

    lock: threading.Lock = field(factory=threading.Lock)
    works: bool | None = None


@frozen
class HttpCache:
    """A cache on a web server."""

    server: WebServer
    _moving: _Moving = field(factory=_Moving, init=False, repr=False, eq=False)

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        items = list(dict.fromkeys(objects))
        there = ask_all(self._has, items)
        return frozenset(item for item, has in zip(items, there, strict=True) if not has)

    def _has(self, item: Digest) -> bool:
        """Whether an object is there in its size."""
        name = object_name(item)
        with self.server.ask("HEAD", name) as answer:
            if self.server.is_absent(answer):
                return False
            self.server.check(answer, {200}, name)
            return answer.headers.get("content-length") == str(item.size)

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        name = object_name(item)
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        with self.server.ask("GET", name, headers) as answer:
            if self.server.is_absent(answer):
                msg = "the cache lacks an object"
                raise CacheMiss(msg, where=self.server.shown(name))
            if begin and answer.status == 416:
                return  # it has fewer bytes
            self.server.check(answer, {200, 206} if begin else {200}, name)
            pieces = self.server.pieces(answer, name)
            if answer.status == 206:
                self._check_range(answer, name, begin)
                yield from pieces
            else:
                yield from _from(begin, pieces)

    def _check_range(self, answer: Answer, name: str, begin: int) -> None:
        span = content_range(answer.headers)
        if span is None or span[0] != begin:
            msg = "the server continued something else"
            raise CacheDown(msg, where=self.server.shown(name))

    def write(self, item: Digest, data: BinaryIO) -> None:
        check_size(item, data)
        if not self._has(item):
            self._put(object_name(item), partial(pieces_of, item, data, PIECE), item.size)

    def record(self, name: str) -> bytes | None:
        with self.server.ask("GET", check_name(name)) as answer:
            if self.server.is_absent(answer):
                return None
            self.server.check(answer, {200}, name)
            data = bytearray()
            for piece in self.server.pieces(answer, name):
                data += piece
                if len(data) > RECORD_LIMIT:
                    msg = f"a record of more than {RECORD_LIMIT} bytes"
                    raise CacheRefused(msg, where=self.server.shown(name))
            return bytes(data)

    def write_record(self, name: str, data: bytes) -> None:
        self._put(check_name(name), lambda: iter([data]), len(data))

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        """Refuse.

        Raises:
            CacheRefused: always; HTTP has no lists.
        """
        msg = "a web server cannot list what it holds"
        hint = "name the folder that it serves, or the bucket behind it"
        raise CacheRefused(msg, where=self.server.shown(prefix), hint=hint)

    def remove(self, name: str) -> None:
        with self.server.ask("DELETE", check_name(name)) as answer:
            if not self.server.is_absent(answer):
                self.server.check(answer, _DONE, name)

    def _put(self, name: str, body: Body, size: int) -> None:
        """Put a file in place, whole."""
        if not self._moves():
            self._upload(name, body, size)
            return
        mine = temporary_name()
        self._upload(mine, body, size)
        if not self._move(mine, name):
            self.remove(mine)
            msg = "the server did not move a file that it took"
            raise CacheDown(msg, where=self.server.shown(name))

    def _upload(self, name: str, body: Body, size: int) -> None:
        def put() -> int:
            with self.server.ask("PUT", name, {"Content-Length": str(size)}, body) as answer:
                self.server.check(answer, {*_DONE, _NO_FOLDER}, name)
                return answer.status

        if self._with_folders(name, put) not in _DONE:
            msg = "the server has no folder for it, and makes none"
            raise CacheRefused(msg, where=self.server.shown(name))

    def _move(self, mine: str, name: str) -> bool:
        headers = {"Destination": self.server.url(name), "Overwrite": "T"}

        def move() -> int:
            with self.server.ask("MOVE", mine, headers) as answer:
                return answer.status

        return self._with_folders(name, move) in _DONE

    def _with_folders(self, name: str, ask: Callable[[], int]) -> int:
        """The status of an answer; asked again with the folders, if the server lacks one."""
        status = ask()
        if status != _NO_FOLDER:
            return status
        for folder in accumulate(name.split("/")[:-1], "{}/{}".format):
            with self.server.ask("MKCOL", f"{folder}/") as answer:
                self.server.check(answer, {*_DONE, _A_FOLDER}, folder)
        return ask()

    def _moves(self) -> bool:
        """Whether the server can move, which is tried once."""
        with self._moving.lock:
            if self._moving.works is None:
                self._moving.works = self._try_to_move()
            return self._moving.works

    def _try_to_move(self) -> bool:
        mine, name = temporary_name(), temporary_name()
        self._upload(mine, lambda: iter([b""]), 0)
        moves = self._move(mine, name)
        self.remove(name if moves else mine)
        return moves


def _from(begin: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What follows the first ``begin`` bytes: a server may send all, whatever range was asked."""
    for piece in pieces:
        yield piece[begin:]
        begin = max(0, begin - len(piece))
