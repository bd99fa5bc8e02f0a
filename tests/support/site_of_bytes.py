"""A web server that sends exactly the bytes that it is told to, and a client for it."""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from attrs import define, field

from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import Credentials


@define
class Asked:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


Answer = Callable[[Asked, Callable[[bytes], None]], None]


@define
class Served:
    """A running server, and what it was asked."""

    url: str
    asked: list[Asked] = field(factory=list)


CLOSED = "Connection: close"
"""What an answer says whose connection is not used again, as those of `serve` are."""


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


@contextmanager
def serve(answer: Answer, tls: Path | None = None) -> Iterator[Served]:
    """Answer each request with what ``answer`` sends, then close the connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
    if context and tls:
        context.load_cert_chain(tls)
    served = Served("")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline().decode().split()
            if len(words) < 2:
                return
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            pairs = (line.partition(":") for line in lines)
            asked = Asked(words[1], {k.lower(): v.strip() for k, _, v in pairs})
            served.asked.append(asked)
            try:
                answer(asked, self.wfile.write)
            except OSError:
                return  # the client hung up, as it may

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def finish_request(self, request: socket.socket, client_address: object) -> None:
            if context is None:
                super().finish_request(request, client_address)
                return
            try:
                with context.wrap_socket(request, server_side=True) as wrapped:
                    super().finish_request(wrapped, client_address)
            except OSError:
                return  # the client did not like the certificate

    with Server(("127.0.0.1", 0), Handler) as server:
        scheme = "https" if tls else "http"
        served.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()


def serve_pages(pages: Mapping[str, bytes]) -> AbstractContextManager[Served]:
    """A server of what ``pages`` has at the time, by path; 404 for all else."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        body = pages.get(asked.path, b"")
        status = "200 OK" if asked.path in pages else "404 Not Found"
        send(head(status, f"Content-Length: {len(body)}", CLOSED) + body)

    return serve(answer)


@define
class Naps:
    """A sleep that takes no time, and remembers."""

    slept: list[float] = field(factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@contextmanager
def client(naps: Naps | None = None, **given: object) -> Iterator[Transport]:
    settings: dict[str, object] = {"credentials": Credentials({}), "jitter": lambda: 0.5}
    with Transport(sleep=naps or Naps(), **{**settings, **given}) as transport:  # type: ignore[arg-type]
        yield transport
