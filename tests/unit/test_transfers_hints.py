"""What to do reaches the person: each transport, with each failure that has a remedy of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fetch_kinds import KINDS
from fetch_places import Goods, Place, place
from site_of_bytes import Asked, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.urls import OWN_LOGIN, USE_NETRC

HERE = {("path", "a folder"), ("git", "a folder")}
"""What is on this machine."""
BY_GIT = ("git", "a clone")
"""What does not come through this client: git has words and settings of its own."""


Failure = Callable[[Place, Path], AbstractContextManager[None]]


def status(line: str) -> Failure:
    """A server that gives everybody the same answer."""

    @contextmanager
    def failing(at: Place, _certificate: Path) -> Iterator[None]:
        def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
            send(head(line, "Content-Length: 0"))

        with serve(answer) as server:
            at.site.url = server.url
            yield

    return failing


@contextmanager
def login_of_an_address(at: Place, certificate: Path) -> Iterator[None]:
    with status("401 Unauthorized")(at, certificate):
        at.site.url = at.site.url.replace("//", "//me:secret@")
        yield


@contextmanager
def foreign_authority(at: Place, certificate: Path) -> Iterator[None]:
    def answer(_asked: Asked, _send: Callable[[bytes], None]) -> None:
        raise AssertionError

    with serve(answer, tls=certificate) as server:
        at.site.url = server.url
        yield


@contextmanager
def dead_proxy(at: Place, _certificate: Path) -> Iterator[None]:
    at.environment["http_proxy"] = "http://127.0.0.1:1"
    yield


@contextmanager
def silent_proxy(at: Place, _certificate: Path) -> Iterator[None]:
    with serve(lambda _asked, _send: None) as proxy:
        at.environment["http_proxy"] = proxy.url
        yield


@contextmanager
def proxy_with_a_password(at: Place, _certificate: Path) -> Iterator[None]:
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("407 Proxy Authentication Required", "Content-Length: 0"))

    with serve(answer) as proxy:
        at.environment["http_proxy"] = proxy.url
        yield


@contextmanager
def proxy_that_refuses_a_login(at: Place, _certificate: Path) -> Iterator[None]:
    with proxy_with_a_password(at, _certificate):
        at.environment["http_proxy"] = at.environment["http_proxy"].replace("//", "//me:secret@")
        yield


@contextmanager
def proxy_that_cannot_be_used(at: Place, _certificate: Path) -> Iterator[None]:
    at.environment["http_proxy"] = "http://me:sec/ret@127.0.0.1:1"
    yield


FAILURES: dict[str, tuple[Failure, str, str]] = {
    "a password is wanted": (status("401 Unauthorized"), "netrc", "a credential helper"),
    "it is forbidden": (status("403 Forbidden"), "netrc", "a credential helper"),
    "the login of its address is refused": (
        login_of_an_address,
        "that stand in its address: correct them where it is set",
        "that stand in its address: correct them where it is set",
    ),
    "nobody vouches for it": (foreign_authority, "SSL_CERT_FILE", "http.sslCAInfo"),
    "a dead proxy": (
        dead_proxy,
        "see that the proxy runs, or correct http_proxy",
        "see that the proxy runs and lets this through, or correct http_proxy",
    ),
    "a silent proxy": (
        silent_proxy,
        "see that the proxy runs and lets this through, or correct http_proxy",
        "see that the proxy runs and lets this through, or correct http_proxy",
    ),
    "a proxy with a password": (
        proxy_with_a_password,
        "a password into the proxy's address",
        "a password into the proxy's address",
    ),
    "a proxy that refuses a login": (
        proxy_that_refuses_a_login,
        "refused the user name and password of its address: correct http_proxy",
        "refused the user name and password of its address: correct http_proxy",
    ),
    "a proxy that cannot be used": (
        proxy_that_cannot_be_used,
        "correct its address: http://HOST:PORT",
        "correct its address: http://HOST:PORT",
    ),
}
"""Each with what is to be done, by way of our client and of git."""
REMOTE = {
    f"{kind}: {name}": (make, (kind, name) == BY_GIT)
    for kind, made in KINDS.items()
    for name, make in made.items()
    if (kind, name) not in HERE
}


@pytest.mark.parametrize(("failure", "remedy", "of_git"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize(("make", "by_git"), REMOTE.values(), ids=REMOTE)
def test_the_remedy_is_told(  # noqa: PLR0913 - a table of two sides
    tmp_path: Path,
    certificate: Path,
    *,
    make: Callable[[Place], Goods],
    failure: Failure,
    remedy: str,
    of_git: str,
    by_git: bool,
):
    with place(tmp_path) as at, failure(at, certificate):
        goods = make(at)
        with pytest.raises(SourceError) as caught:
            goods.fetcher.fetch(goods.source, DigestSink(), no_progress)
    assert (of_git if by_git else remedy) in hint_text(caught.value.hint), caught.value
    assert caught.value.exit_code == 4
    assert "secret" not in f"{caught.value}{caught.value.details}{hint_text(caught.value.hint)}"


def test_hints_are_told_once_and_the_general_one_last():
    attempts = Attempts("it")
    attempts.add("http://a/", SourceError("refused", hint="give a password"))
    attempts.add("http://b/", SourceError("refused", hint="give a password"))
    attempts.add("http://c/", SourceError("untrusted", hint="name the authority"))
    assert str(attempts.error("look").hint) == "give a password; name the authority; look"


@pytest.mark.parametrize("login_first", [True, False])
def test_who_refused_a_login_of_its_address_is_not_told_to_want_one(*, login_first: bool):
    """A mirror with a login, and the address itself without: one host, two lines, one remedy."""
    places = [
        ("http://me:secret@a/x", OWN_LOGIN, " with the user name and password of its address"),
        ("http://a/x", USE_NETRC, ""),
    ]
    attempts = Attempts("it")
    for url, hint, how in places if login_first else reversed(places):
        attempts.add(url, SourceError(f"refused{how} (401)", hint=hint))
    error = attempts.error("look")
    assert str(error.hint) == f"{OWN_LOGIN}; look"
    assert len(set(error.details)) == 2
    attempts.add("http://b/x", SourceError("refused (401)", hint=USE_NETRC))
    assert USE_NETRC in str(attempts.error("look").hint)
