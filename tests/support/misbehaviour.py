"""Servers and proxies that behave as they should not, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from site_of_bytes import head

Behaviour = Callable[[socket.socket], None]
PAGE = b"<html><title>Welcome to the network</title></html>"


@contextmanager
def listening(behave: Behaviour) -> Iterator[str]:
    """Something at a port of this machine: HOST:PORT."""

    def run(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behave(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = server.accept()
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def says(status: str, body: bytes = PAGE) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        length = f"Content-Length: {len(body)}"
        connection.sendall(head(status, length, "Connection: close") + body)

    return behave


def resets(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def resets_at_once(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def is_silent(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def is_none(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1 << 16)
