"""A web server that gives the files of a cache, and takes none.

Knows: HTTP, ranges, names of what is in a cache. Must not know: where the files come from.

The rules:

1. GET and HEAD of a name of a cache; anything else that is asked for is 404 or 501.
2. A range that begins somewhere and may end somewhere is given; several at once are not: the answer
   is the whole file then.
3. No more than `AT_ONCE` are answered at the same time: the others are asked to come again.
4. A connection on which nothing is asked for `IDLE` seconds is closed, and so is one that takes
   nothing of an answer for a minute. A client that keeps connections costs those who come later
   nothing: there may be `CONNECTIONS` of them.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from rvbuild.caches.names import is_name

AT_ONCE = 64
CONNECTIONS = 1024
IDLE = 5.0
_PATIENCE = 60.0
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)

Find = Callable[[str], int | None]
"""The open descriptor of a file, by its name; None if there is none. Whoever asked closes it."""


class CacheFileServer(ThreadingHTTPServer):
    """The server, which listens when it is made.

    Args:
        bind: An address of this machine.
        port: 0 for any that is free.
        find: Opens files.
        heard: Told of each request, in a line.
        idle: Seconds after which a connection that asks nothing is closed.

    Raises:
        OSError: nobody can listen there.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        bind: str,
        port: int,
        find: Find,
        heard: Callable[[str], None],
        idle: float = IDLE,
    ) -> None:
        self.find = find
        self.heard = heard
        self.idle = idle
        self.address_family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self.answers = threading.BoundedSemaphore(AT_ONCE)
        self._connections = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((bind, port), _Handler)

    @property
    def url(self) -> str:
        """Where it is."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        try:
            request.sendall(_BUSY)
        finally:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Clients hang up as they like; nothing of ours is left behind."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "rvbuild"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(cast("CacheFileServer", self.server).idle)

    def do_GET(self) -> None:
        self._answer_in_turn(with_body=True)

    def do_HEAD(self) -> None:
        self._answer_in_turn(with_body=False)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's
        cast("CacheFileServer", self.server).heard(f"{self.client_address[0]} {format % arguments}")

    def _answer_in_turn(self, *, with_body: bool) -> None:
        server = cast("CacheFileServer", self.server)
        if not server.answers.acquire(blocking=False):
            self._head(HTTPStatus.SERVICE_UNAVAILABLE, 0, retry_after=1)
            return
        try:
            self.connection.settimeout(_PATIENCE)
            self._answer(with_body=with_body)
            self.connection.settimeout(server.idle)
        finally:
            server.answers.release()

    def _answer(self, *, with_body: bool) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        server = cast("CacheFileServer", self.server)
        fd = server.find(name) if is_name(name) else None
        if fd is None:
            self._head(HTTPStatus.NOT_FOUND, 0)
            return
        with open(fd, "rb") as file:
            size = os.fstat(fd).st_size
            begin, end = self._span(size)
            if begin >= end and (begin or size):
                self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, f"bytes */{size}")
                return
            whole = (begin, end) == (0, size)
            status = HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT
            self._head(status, end - begin, "" if whole else f"bytes {begin}-{end - 1}/{size}")
            if with_body and end > begin:
                self.connection.sendfile(file, begin, end - begin)

    def _span(self, size: int) -> tuple[int, int]:
        """The bytes that are asked for; an end that is not after the begin: there are none."""
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match is None:
            return 0, size
        end = min(int(match[2]) + 1, size) if match[2] else size
        return int(match[1]), end

    def _head(
        self,
        status: HTTPStatus,
        length: int,
        content_range: str = "",
        retry_after: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        if content_range:
            self.send_header("Content-Range", content_range)
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
