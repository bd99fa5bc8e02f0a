"""One way to send a request, whatever the method."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from site_of_bytes import Asked, client, head, serve

from rvbuild.transfers.deadline import Deadline
from rvbuild.transfers.sender import HttpRequest
from rvbuild.transfers.transfer import Again
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import Credentials

SHORT, LONG = 0.3, 5.0


def request(http: Transport, url: str, **given: object) -> HttpRequest:
    return HttpRequest(url=url, route=http.route, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "MOVE", "MKCOL"])
def test_each_method(method: str):
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("200 OK", "Content-Length: 0"))

    with serve(answer) as server, client() as http:
        got = http.send(request(http, f"{server.url}/a", method=method))
        assert (got.status, b"".join(got.pieces())) == (200, b"")
        got.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_of_a_login_stay_at_their_origin(method: str):
    """On the way back, too: whoever was asked in between could have chosen what is asked."""
    ways: dict[str, str] = {}

    def onward(asked: Asked, send: Callable[[bytes], None]) -> None:
        to = ways.get(asked.path)
        send(head(f"{302 if to else 200} X", f"Location: {to}", "Content-Length: 0"))

    with serve(onward) as home, serve(onward) as other, client() as http:
        ways |= {"/1": "/2", "/2": f"{other.url}/3", "/3": f"{home.url}/4"}
        asks = request(
            *(http, f"{home.url}/1"), method=method, login_headers={"X-Secret": "canary"}
        )
        http.send(asks).close()
    secrets = {asked.path: asked.headers.get("x-secret") for asked in home.asked + other.asked}
    assert secrets == {"/1": "canary", "/2": "canary", "/3": None, "/4": None}


def test_who_says_who_asks_is_not_contradicted_by_netrc():
    """Nor by a login in the address: one request has one ``Authorization``."""

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("200 OK", "Content-Length: 0"))

    with (
        serve(answer) as server,
        client(credentials=Credentials({"127.0.0.1": ("al", "canary")})) as http,
    ):
        address = server.url.replace("http://", "http://al:canary@")
        for url in (server.url, address):
            http.send(request(http, f"{url}/a", login_headers={"Authorization": "own"})).close()
    assert [asked.headers["authorization"] for asked in server.asked] == ["own", "own"]


def test_a_body_is_sent_in_its_pieces_with_its_length():
    taken = io.BytesIO()
    with socket.create_server(("127.0.0.1", 0)) as server, client() as http:

        def take() -> None:
            peer, _ = server.accept()
            with peer:
                while not taken.getvalue().endswith(b"onetwo"):
                    taken.write(peer.recv(1 << 16))
                peer.sendall(head("201 Created", "Content-Length: 0"))

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        asks = request(
            *(http, url),
            method="PUT",
            headers={"Content-Length": "6"},
            body=lambda: iter([b"one", b"two"]),
        )
        with http.send(asks) as got:
            assert got.status == 201
        thread.join()
    sent = taken.getvalue().lower()
    assert b"content-length: 6\r\n" in sent
    assert b"transfer-encoding" not in sent


def deadline() -> Deadline:
    return Deadline(lambda: SHORT, time.monotonic)


def late(http: Transport, asks: HttpRequest) -> float:
    """After how many seconds a request is given up as late."""
    began = time.monotonic()
    with pytest.raises(Again) as caught:
        http.send(asks)
    assert caught.value.late
    return time.monotonic() - began


def test_a_resolver_that_does_not_answer_is_late(monkeypatch: pytest.MonkeyPatch):
    end = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        end.wait(LONG)
        return []

    with client() as http:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        assert late(http, request(http, "http://h.example/", deadline=deadline())) < LONG / 2
    end.set()


def test_a_server_that_takes_no_body_is_late():
    with socket.create_server(("127.0.0.1", 0)) as server, client() as http:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def body() -> Iterator[bytes]:
            for _ in range(1000):
                yield bytes(1 << 20)

        asks = request(
            *(http, url),
            method="PUT",
            headers={"Content-Length": str(1000 << 20)},
            body=body,
            deadline=deadline(),
        )
        assert late(http, asks) < LONG


def test_a_wait_for_ones_own_connections_is_nobodys_fault():
    """With more questions than connections, the deadline of each begins when it has one."""

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        threading.Event().wait(0.5)
        send(head("200 OK", "Content-Length: 0"))

    with serve(answer) as server, client(connections=1) as http:
        done = []

        def ask() -> None:
            of_each = Deadline(lambda: 2.0, time.monotonic)
            with http.send(request(http, server.url + "/", deadline=of_each)) as got:
                done.append(got.status)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert done == [200] * 6
