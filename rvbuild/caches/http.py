"""A cache that is a web server: any one to read from, one with PUT to write to.

Knows: WebDAV. Must not know: objects, records, connections, logins.

What is written is put under ``tmp/`` and moved, if the server can move (DAV). Else it is put in
place at once: nginx and Apache write a file beside and rename it themselves. The first write tries
with an empty file. Folders are made where the server asks for them (409).

Example: nginx with ``dav_methods PUT DELETE`` refuses to move; so each object is one PUT.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import accumulate

from attrs import define, field, frozen

from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.content import Content
from rvbuild.caches.marked import web_page
from rvbuild.caches.names import temporary_name
from rvbuild.caches.web_cache import DONE, WebCache
from rvbuild.caches.web_server import WebServer
from rvbuild.core.errors import CacheDown, CacheRefused, SourceError
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.core.web_page import is_web_page
from rvbuild.transfers.urls import origin, shown

_NO_FOLDER = 409
_NO_WRITES = {405, 501}
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
class HttpCache(WebCache):
    """A cache on a web server that may have DAV."""

    _moving: _Moving = field(factory=_Moving, init=False, repr=False, eq=False)

    def put(self, name: str, content: Content, *, is_new: bool = False) -> None:  # noqa: ARG002
        if not self._moves():
            self._upload(name, content)
            return
        mine = temporary_name()
        self._upload(mine, content)
        if not self._move(mine, name):
            self.remove(mine)
            msg = "the server did not move a file that it took"
            raise CacheDown(msg, where=self.server.shown(name))

    def record(self, name: str) -> bytes | None:
        data = super().record(name)
        if data is not None and is_web_page(data):
            raise web_page(self.server.shown(name))
        return data

    def _upload(self, name: str, content: Content) -> None:
        def upload() -> int:
            with self.server.ask("PUT", name, content=content) as answer:
                if answer.status in _NO_WRITES:
                    msg = f"the server takes no writes (status {answer.status})"
                    hint = "let it take PUT, or set the cache only to be read"
                    raise CacheRefused(msg, where=self.server.shown(name), hint=hint)
                self.server.check(answer, {*DONE, _NO_FOLDER}, name)
                return answer.status

        if self._with_folders(name, upload) not in DONE:
            msg = "the server has no folder for it, and makes none"
            raise CacheRefused(msg, where=self.server.shown(name))

    def _move(self, mine: str, name: str) -> bool:
        headers = {"Destination": self.server.url(name), "Overwrite": "T"}

        def move() -> int:
            with self.server.ask("MOVE", mine, headers) as answer:
                return answer.status

        return self._with_folders(name, move) in DONE

    def _with_folders(self, name: str, ask: Callable[[], int]) -> int:
        """The status of an answer; asked again with the folders, if the server lacks one."""
        status = ask()
        if status != _NO_FOLDER:
            return status
        for folder in accumulate(name.split("/")[:-1], "{}/{}".format):
            with self.server.ask("MKCOL", f"{folder}/") as answer:
                self.server.check(answer, {*DONE, _A_FOLDER}, folder)
        return ask()

    def _moves(self) -> bool:
        """Whether the server can move, which is tried once."""
        with self._moving.lock:
            if self._moving.works is None:
                self._moving.works = self._try_to_move()
            return self._moving.works

    def _try_to_move(self) -> bool:
        mine, name = temporary_name(), temporary_name()
        self._upload(mine, Content.of(b""))
        moves = self._move(mine, name)
        self.remove(name if moves else mine)
        return moves
