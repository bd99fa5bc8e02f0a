"""Who is given up, and named: behind a redirect, behind a proxy, and the proxy itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from site_of_bytes import CLOSED, Answer, Asked, Naps, client, head, serve

from rvbuild.core.errors import SourceError, Unreachable
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.transport import Patience, Transport

PATIENCE = Patience(tries=2, first=0.0, read=0.2, connect=2.0)
OK = head("200 OK", "Content-Length: 2", CLOSED) + b"ok"
DEAD = "http://127.0.0.1:1"


def redirect(to: str) -> Answer:
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("302 X", f"Location: {to}", "Content-Length: 0", CLOSED))

    return answer


def fail(http: Transport, url: str) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        http.get(url)
    return caught.value


def test_a_dead_server_behind_a_redirect_costs_its_tries_once():
    """Each file asks the living server, once, for it may lead elsewhere."""
    with serve(redirect(f"{DEAD}/x")) as server, client(patience=PATIENCE) as http:
        messages = [fail(http, f"{server.url}/{number}").message for number in range(3)]
        assert fail(http, DEAD).message == messages[1]
        assert http.servers.refusal(server.url.removeprefix("http://")) is None
    assert len(server.asked) == PATIENCE.tries + 2
    assert [message.partition(":")[0] for message in messages] == [
        "could not be downloaded",
        *["not asked again"] * 2,
    ]


def test_a_server_that_answers_now_and_then_is_not_silent():
    """Its last words to one transfer are none, after two busy ones: it is asked again."""
    replies = [b"", head("503 X", CLOSED)] * 2

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(replies.pop() if replies else OK)

    with serve(answer) as server, client(patience=PATIENCE) as http:
        for _ in range(2):
            assert fail(http, server.url).message.startswith("could not be downloaded")
        assert http.get(server.url) == b"ok"


def test_the_remedy_stays_with_the_cause():
    """Of several hundred modules, each says what to do, and not the first alone."""
    environment = {"http_proxy": DEAD}
    with client(patience=PATIENCE, environment=environment) as http:
        hints = {str(fail(http, f"http://{host}.example/").hint) for host in "abc"}
        (hint,) = hints
        attempts = Attempts("it")
        attempts.add("http://d.example/", fail(http, "http://d.example/"))
    assert hint == "see that the proxy runs, or correct http_proxy"
    assert str(attempts.error("").hint).startswith(hint)


# ---- proxies


@contextmanager
def proxied(answer: Answer, tls: Path | None = None, **more: str) -> Iterator[Transport]:
    """A client behind a proxy that answers so."""
    with serve(answer, tls=tls) as proxy:
        environment = {"all_proxy": proxy.url, **more}
        with client(patience=PATIENCE, environment=environment) as http:
            yield http


def silent(_asked: Asked, _send: Callable[[bytes], None]) -> None:
    """Hang up without a word."""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_proxy_is_named_and_given_up_with_the_second_server(scheme: str):
    """One server alone may be the silent one, behind a proxy that waits for it."""
    with proxied(silent) as http:
        errors = [fail(http, f"{scheme}://{host}.example/") for host in "abc"]
    for error in errors:
        assert "by the proxy http://127.0.0.1" in error.message
        assert "see that the proxy runs" in str(error.hint)
    assert [error.message.startswith("not asked again") for error in errors] == [False, False, True]


def test_a_proxy_that_answers_somebody_is_not_given_up():
    """It waits for two servers that are silent, and passes on what a third one says."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        if "good" in asked.path:
            send(OK)

    with proxied(answer) as http:
        fail(http, "http://a.example/")
        assert http.get("http://good.example/") == b"ok"
        fail(http, "http://b.example/")
        assert http.get("http://good.example/") == b"ok"
        assert fail(http, "http://a.example/").message.startswith("not asked again")


@pytest.mark.parametrize("status", ["502 X", "504 X"])
def test_a_proxy_that_refuses_a_tunnel_answers(status: str):
    naps = Naps()
    with serve(lambda _, send: send(head(status, CLOSED))) as proxy:
        environment = {"https_proxy": proxy.url}
        with client(naps, patience=PATIENCE, environment=environment) as http:
            for host in "abc":
                message = fail(http, f"https://{host}.example/").message
                assert message.startswith("could not be downloaded: the proxy")


def test_silence_in_a_tunnel_is_that_of_the_server():
    """The proxy connects to whatever it is asked for, and then nobody speaks."""
    with proxied(lambda _, send: send(head("200 Connected"))) as http:
        for host in "abc":
            message = fail(http, f"https://{host}.example/").message
            assert message.startswith("could not be downloaded")


# ---- proxies that are asked over TLS


def forward(_asked: Asked, send: Callable[[bytes], None]) -> None:
    send(OK)


def test_a_proxy_of_the_users_authority_is_trusted(certificate: Path):
    with proxied(forward, tls=certificate, SSL_CERT_FILE=str(certificate)) as http:
        assert http.get("http://a.example/") == b"ok"


def test_an_untrusted_proxy_is_told_as_such(certificate: Path):
    with proxied(forward, tls=certificate) as http:
        for scheme in ("http", "https"):
            with pytest.raises(SourceError, match=r"the proxy https:.*certificate") as caught:
                http.get(f"{scheme}://a.example/")
            assert "SSL_CERT_FILE" in str(caught.value.hint)
