"""A gateway before a web server that damages its answers.

It passes each request on, as it came, and has the whole answer before it sends anything; so what a
fault does is done to what the real server says, whatever it speaks.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve, field, frozen

_PATIENCE = 10.0


@frozen
class Call:
    """A request as it came."""

    method: str
    path: str
    head: bytes
    body: bytes

    @property
    def is_of_object(self) -> bool:
        return "objects/" in self.path

    @property
    def begin(self) -> int:
        found = re.search(rb"(?i)\r\nrange: bytes=(\d+)-", self.head)
        return int(found[1]) if found else 0


@frozen
class Reply:
    """An answer of the real server."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Reply:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name, value.strip()) for name, _, value in pairs)
        reply = cls(first.partition(" ")[2], headers, body)
        if ("transfer-encoding", "chunked") in {(n.lower(), v) for n, v in headers}:
            reply = evolve(reply.without("transfer-encoding"), body=_unchunked(body))
            return reply.having("Content-Length", str(len(reply.body)))
        return reply

    def without(self, name: str) -> Reply:
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return evolve(self, headers=kept)

    def having(self, name: str, value: str) -> Reply:
        reply = self.without(name)
        return evolve(reply, headers=(*reply.headers, (name, value)))

    def sized(self, body: bytes) -> Reply:
        """Another body, with its length said."""
        return evolve(self.having("Content-Length", str(len(body))), body=body)

    def head(self) -> bytes:
        pairs = self.without("connection").having("Connection", "close").headers
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in pairs), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def __bytes__(self) -> bytes:
        return self.head() + self.body


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size.partition(b";")[0], 16)
        if not count:
            break
        body, data = body + data[:count], data[count + 2 :]
    return body


Send = Callable[[bytes], object]
Fault = Callable[[Call, Reply, Send], None]
"""Sends what comes of an answer; the connection is closed when it returns."""


def faithful(_call: Call, reply: Reply, send: Send) -> None:
    """Damage nothing."""
    send(bytes(reply))


@define
class Gateway:
    """A running gateway, what it was asked, and what is done to answers from now on.

    ``gone`` is set when the test is over: a fault that waits, waits for that.
    """

    address: str = ""
    fault: Fault = faithful
    calls: list[Call] = field(factory=list)
    gone: threading.Event = field(factory=threading.Event)

    def paused(self, seconds: float = _PATIENCE) -> bool:
        """Wait; whether the test goes on."""
        return not self.gone.wait(seconds)


@contextmanager
def gateway(server: str) -> Iterator[Gateway]:
    """A gateway before the server at an address (``http://HOST:PORT``)."""
    host, _, port = server.removeprefix("http://").partition(":")
    running = Gateway()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(_PATIENCE)
            with suppress(OSError, ValueError):  # the client hung up, as it may
                call = _call(self.request)
                running.calls.append(call)
                reply = Reply.parse(_passed_on(call, (host, int(port))))
                running.fault(call, reply, self.request.sendall)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as listener:
        running.address = f"http://127.0.0.1:{listener.server_address[1]}"
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield running
        finally:
            running.gone.set()
            listener.shutdown()


def _call(client: socket.socket) -> Call:
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(1 << 16)
        if not more:
            msg = "it hung up"
            raise ValueError(msg)
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    size = int(found[1]) if found else 0
    while len(body) < size and (more := client.recv(1 << 20)):
        body += more
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    return Call(method, path, head, body)


def _passed_on(call: Call, server: tuple[str, int]) -> bytes:
    head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", call.head) + b"\r\nConnection: close"
    with socket.create_connection(server, _PATIENCE) as upstream:
        upstream.sendall(head + b"\r\n\r\n" + call.body)
        parts = iter(lambda: upstream.recv(1 << 20), b"")
        return b"".join(parts)
