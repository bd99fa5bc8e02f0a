"""Whatever a server, a page or a setting says: bytes, or an error that a person can act on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hostile_answers import HEADERS, TARGETS
from site_of_bytes import CLOSED, Answer, Asked, client, head, serve

from rvbuild.core.errors import RvbuildError, SourceError
from rvbuild.transfers.addresses import Address, is_http, local_path
from rvbuild.transfers.transport import Patience
from rvbuild.transfers.urls import is_host, origin

PATIENCE = Patience(tries=2, first=0.0, retry_after=0.0, connect=1.0, read=1.0)


def cut_and_then(answer: bytes) -> Answer:
    """The first half of a document that can be continued, and then something else."""

    def reply(asked: Asked, send: Callable[[bytes], None]) -> None:
        half = head("200 OK", 'ETag: "x"', "Content-Length: 10", CLOSED) + b"01234"
        send(answer if asked.start else half)

    return reply


@pytest.mark.parametrize("status", ["200 X", "206 X", "302 X", "503 X"])
def test_any_head_is_an_answer_or_an_error(status: str):
    """An error that is none of ours would end the test."""
    answers: set[bytes] = set()
    for line in HEADERS:
        reply = cut_and_then(head(status, line, CLOSED) + b"0123456789")
        with (
            serve(reply) as server,
            client(patience=PATIENCE, environment={}) as http,
            suppress(RvbuildError),
        ):
            answers.add(http.get(server.url, limit=99))
    assert answers == ({b"0123456789"} if status == "200 X" else set())


def test_a_good_head_after_a_cut_is_an_answer():
    """The control: the halves fit."""
    lines = ('ETag: "x"', "Content-Range: bytes 5-9/10", CLOSED)
    reply = cut_and_then(head("206 X", *lines) + b"56789")
    with serve(reply) as server, client(patience=PATIENCE) as http:
        assert http.get(server.url) == b"0123456789"


@pytest.mark.parametrize("target", TARGETS)
def test_a_redirect_to_nowhere_is_an_error_that_says_so(target: str):
    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("302 X", f"Location: {target}" if asked.path == "/" else "X: y", CLOSED))

    with (
        serve(answer) as server,
        client(patience=PATIENCE, environment={}) as http,
        pytest.raises(SourceError) as caught,
    ):
        http.get(f"{server.url}/")
    assert "secret" not in f"{caught.value} {caught.value.details}"


# ---- hosts


@pytest.mark.parametrize(
    "host",
    [
        *("a.example", "a.example.", "build_1", "1a", "A", "x" * 63, "127.0.0.1", "::1", "127.1"),
        *("b\xfccher.example", "xn--bcher-kva.example", "\u65e5\u672c.jp", "-a"),
    ],
)
def test_hosts(host: str):
    netloc = f"[{host}]" if ":" in host else host
    assert is_host(host)
    assert origin(f"http://{netloc}/")[1] == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "a..b", ".a", "a b", "x" * 64, ".".join(["x" * 63] * 4), "a%b", "xn--a", "a\0b"),
        *("\u2603" * 64, "\ud800", "*", "a,b"),
    ],
)
def test_no_hosts(host: str):
    """A resolver would raise an error of its own for some of them."""
    assert not is_host(host)
    assert not is_http(f"http://{host}/")
    with pytest.raises(SourceError):
        origin(f"http://{host}/")


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
@pytest.mark.parametrize("host", ["a..b", "xn--a", "x" * 64, "\ud800"])
def test_a_proxy_without_a_host(scheme: str, host: str):
    environment = {"all_proxy": f"{scheme}://{host}:3128"}
    with client(environment=environment) as http, pytest.raises(SourceError, match="a proxy that"):
        http.get("http://a.example/")


@pytest.mark.parametrize("port", ["1" * 5000, "\xb2", "-1", "x", ""])
def test_a_port_of_no_proxy_that_is_none(port: str):
    """It is no port, so the entry is a name that nobody has."""
    environment = {"http_proxy": "http://127.0.0.1:1", "no_proxy": f"a.example:{port}"}
    with (
        client(environment=environment, patience=PATIENCE) as http,
        pytest.raises(SourceError, match="the proxy"),
    ):
        http.get("http://a.example/")


# ---- addresses of this machine


@pytest.mark.parametrize(
    "text",
    [
        *(
            "~nobody-of-that-name/x",
            "a\0b",
            "file:///a%00b",
            "file://[x/y",
            "file://",
            "file:///\ud800",
        ),
        *("\udcff", "~\0", "file:///a?b#c"),
    ],
)
def test_an_odd_path_is_a_path_until_it_is_read(text: str):
    path = local_path(text)
    assert path is not None
    assert path.is_absolute()
    assert Address(text).server == ""
    with client() as http, pytest.raises(SourceError):
        http.local.read(path)
