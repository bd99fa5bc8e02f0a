"""Objects and records over HTTP, whatever the server is.

Knows: methods, and ranges. Must not know: connections, logins, what a status means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from attrs import frozen

from rvbuild.caches.content import Content
from rvbuild.caches.names import RECORD_LIMIT, check_name, object_name
from rvbuild.caches.parallel import AT_ONCE, ask_all
from rvbuild.caches.web_server import WebServer
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheMiss, CacheRefused
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.transfers.sender import Answer
from rvbuild.transfers.transfer import content_range

DONE = {200, 201, 202, 204}
"""Statuses of what was done."""


@frozen
class WebCache:
    """A `CollectableCache` on a web server; a class below knows how that one is written."""

    server: WebServer

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        items = list(dict.fromkeys(objects))
        sizes = ask_all(self._size, items)
        return frozenset(
            item for item, size in zip(items, sizes, strict=True) if size != str(item.size)
        )

    def _size(self, item: Digest) -> str | None:
        """What the server says of the size of an object; None if there is none."""
        name = object_name(item)
        with self.server.ask("HEAD", name) as answer:
            if self.server.is_absent(answer):
                return None
            self.server.check(answer, {200}, name)
            size = answer.headers.get("content-length")
        return self._size_of_range(name) if size is None else size

    def _size_of_range(self, name: str) -> str | None:
        """The same, of a server that leaves it out where it sends no body, as some proxies do."""
        with self.server.ask("GET", name, {"Range": "bytes=0-0"}) as answer:
            if self.server.is_absent(answer):
                return None
            self.server.check(answer, {200, 206}, name)
            if answer.status == 200:
                return answer.headers.get("content-length", "")
            _, size = content_range(answer.headers) or (0, None)
            return "" if size is None else str(size)

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
        content, name = Content.of_file(item, data), object_name(item)
        size = self._size(item)
        if size is None:
            self.put(name, content, is_new=True)
        elif size != str(item.size):
            self.put(name, content)

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
        self.put(check_name(name), Content.of(data))

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        """Refuse: HTTP has no lists.

        Raises:
            CacheRefused: always.
        """
        msg = "a web server cannot list what it holds"
        hint = "name the folder that it serves, or the bucket behind it"
        raise CacheRefused(msg, where=self.server.shown(prefix), hint=hint)

    def strangers(self, prefix: str) -> Iterator[str]:  # noqa: ARG002 - there are no lists
        return iter(())

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        left = iter(names)
        while some := list(islice(left, AT_ONCE)):
            for name, data in zip(some, ask_all(self.record, some), strict=True):
                if data is not None:
                    yield name, data

    def remove(self, name: str) -> None:
        with self.server.ask("DELETE", check_name(name)) as answer:
            if not self.server.is_absent(answer):
                self.server.check(answer, DONE, name)

    def put(self, name: str, content: Content, *, is_new: bool = False) -> None:  # noqa: ARG002
        """Put a file in place, whole.

        Args:
            name: Of the file.
            content: What it holds.
            is_new: Nothing was there when somebody looked; a server may heed that.
        """
        with self.server.ask("PUT", name, content=content) as answer:
            self.server.check(answer, DONE, name)


def _from(begin: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What follows the first ``begin`` bytes: a server may send all, whatever range was asked."""
    for piece in pieces:
        if len(piece) > begin:
            yield piece[begin:]
        begin = max(0, begin - len(piece))
