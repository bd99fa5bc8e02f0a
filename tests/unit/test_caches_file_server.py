"""A server of a cache's files: what it gives, and what it does not."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from attrs import define

from rvbuild.caches.file_server import AT_ONCE, IDLE, CacheFileServer, Find

NAME = "objects/ab/" + "ab" * 32
DATA = bytes(range(200))


@define
class Served:
    """A server over one file, and what it was asked for."""

    server: CacheFileServer
    names: list[str]

    def connection(self) -> http.client.HTTPConnection:
        host, port = self.server.server_address[:2]
        return http.client.HTTPConnection(str(host), port, timeout=60)

    def ask(
        self, method: str, path: str, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """The status, the headers and the body of an answer."""
        with closing(self.connection()) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "file").write_bytes(DATA)
    names: list[str] = []

    def find(name: str) -> int | None:
        names.append(name)
        return os.open(tmp_path / "file", os.O_RDONLY) if name == NAME else None

    with running(find, names) as made:
        yield made


@contextmanager
def running(find: Find, names: list[str] | None = None, idle: float = IDLE) -> Iterator[Served]:
    with CacheFileServer("127.0.0.1", 0, find, lambda _line: None, idle) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Served(server, [] if names is None else names)
        server.shutdown()


def test_a_file_is_given_whole(served: Served):
    assert served.ask("GET", f"/{NAME}")[::2] == (200, DATA)
    status, headers, data = served.ask("HEAD", f"/{NAME}")
    assert (status, headers["Content-Length"], data) == (200, "200", b"")


@pytest.mark.parametrize(
    ("span", "status", "data"),
    [
        ("bytes=0-", 200, DATA),
        ("bytes=150-", 206, DATA[150:]),
        ("bytes=10-19", 206, DATA[10:20]),
        ("bytes=199-500", 206, DATA[199:]),
        ("bytes=200-", 416, b""),
        ("bytes=20-10", 416, b""),
        ("bytes=0-1,5-6", 200, DATA),
        ("bytes=-5", 200, DATA),
        ("lines=1-2", 200, DATA),
    ],
)
def test_a_range_is_given(served: Served, span: str, status: int, data: bytes):
    answer = served.ask("GET", f"/{NAME}", Range=span)
    assert answer[::2] == (status, data)
    if status == 206:
        begin = DATA.index(data)
        wanted = f"bytes {begin}-{begin + len(data) - 1}/200"
        assert answer[1]["Content-Range"] == wanted


@pytest.mark.parametrize(
    "path",
    ["/", "/etc/passwd", "/objects/../x", "/%2e%2e/%2e%2e/etc/passwd", "//", "/.hidden", "/a%00b"],
)
def test_nothing_else_is_looked_for(served: Served, path: str):
    assert served.ask("GET", path)[::2] == (404, b"")
    assert served.names in ([], ["etc/passwd"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "MKCOL"])
def test_nothing_is_taken(served: Served, method: str):
    assert served.ask(method, f"/{NAME}")[0] == 501
    assert served.names == []


@pytest.mark.parametrize(("span", "status"), [("bytes=0-", 200), ("bytes=5-", 416), ("", 200)])
def test_an_empty_file_has_no_range(tmp_path: Path, span: str, status: int):
    (tmp_path / "file").touch()
    with running(lambda _: os.open(tmp_path / "file", os.O_RDONLY)) as served:
        answer = served.ask("GET", f"/{NAME}", **({"Range": span} if span else {}))
    assert (answer[0], answer[1]["Content-Length"], answer[2]) == (status, "0", b"")


def ask_quietly(served: Served, stack: ExitStack, count: int) -> list[http.client.HTTPConnection]:
    """Connections that have had an answer, and say nothing more."""
    connections = []
    for _ in range(count):
        quiet = stack.enter_context(closing(served.connection()))
        quiet.request("HEAD", "/none")
        quiet.getresponse().read()
        connections.append(quiet)
    return connections


def test_connections_that_are_kept_keep_nobody_out(served: Served):
    """Two clients with their pools must not fill a server."""
    with ExitStack() as stack:
        ask_quietly(served, stack, AT_ONCE + 8)
        assert served.ask("GET", f"/{NAME}")[0] == 200


def test_a_connection_that_asks_nothing_is_closed():
    with running(lambda _: None, idle=0.05) as served, ExitStack() as stack:
        (quiet,) = ask_quietly(served, stack, 1)
        assert quiet.sock.recv(1) == b""


def test_more_than_it_can_answer_are_asked_to_come_again():
    """Others that are answered take a while, each on its own connection."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def find(_name: str) -> None:
        begun.release()
        go_on.wait(60)

    with running(find) as served, ExitStack() as stack:
        others = [stack.enter_context(closing(served.connection())) for _ in range(AT_ONCE)]
        for other in others:
            other.request("GET", f"/{NAME}")
            begun.acquire()
        status, headers, _ = served.ask("GET", f"/{NAME}")
        assert (status, headers["Retry-After"]) == (503, "1")
        go_on.set()
        assert {other.getresponse().status for other in others} == {404}
        assert served.ask("GET", f"/{NAME}")[0] == 404
