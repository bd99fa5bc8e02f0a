"""A proxy that is the cause is named, whatever it does: a server that nobody reached is not."""

from __future__ import annotations

import pytest
from misbehaviour import (
    Behaviour,
    hangs_up,
    is_none,
    is_silent,
    listening,
    resets,
    resets_at_once,
    says,
)
from site_of_bytes import client

from rvbuild.core.errors import SourceError
from rvbuild.transfers.transport import Patience

PATIENCE = Patience(tries=2, connect=1.0, read=0.2)


BEHAVIOURS: dict[str, Behaviour] = {
    **{
        status[:3]: says(status)
        for status in (
            "400 Bad Request",
            "401 Unauthorized",
            "403 Forbidden",
            "404 Not Found",
            "407 Proxy Authentication Required",
            "429 Too Many Requests",
            "500 Internal Server Error",
            "502 Bad Gateway",
            "503 Service Unavailable",
            "504 Gateway Timeout",
        )
    },
    "a redirect to nowhere": says("302 Found"),
    "it resets": resets,
    "it resets at once": resets_at_once,
    "it is silent": is_silent,
    "it speaks another protocol": is_none,
    "it hangs up": hangs_up,
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_the_proxy_is_named(scheme: str, behave: Behaviour):
    with (
        listening(behave) as at,
        client(environment={"all_proxy": f"http://me:secret@{at}"}, patience=PATIENCE) as transport,
        pytest.raises(SourceError) as caught,
    ):
        transport.get(f"{scheme}://files.example/a")
    error = caught.value
    assert f"the proxy http://{at}" in error.message
    assert "secret" not in f"{error.message} {error.hint} {error.details}"
    if behave is not BEHAVIOURS["404"] or scheme == "https":
        assert "proxy" in (error.hint or "")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("login", "remedy"),
    [
        ("", "put a user name and a password into the proxy's address"),
        ("me:secret@", "the proxy refused the user name and password of its address: correct ALL_"),
    ],
)
def test_what_a_proxy_with_logins_wants(scheme: str, login: str, remedy: str):
    with (
        listening(says("407 Proxy Authentication Required")) as at,
        client(environment={"ALL_PROXY": f"http://{login}{at}"}) as transport,
        pytest.raises(SourceError, match=r"refuses .407") as caught,
    ):
        transport.get(f"{scheme}://files.example/a")
    assert remedy in str(caught.value.hint)


@pytest.mark.parametrize("behave", BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_without_a_proxy_none_is_named(behave: Behaviour):
    """The control."""
    with (
        listening(behave) as at,
        client(environment={}, patience=PATIENCE) as transport,
        pytest.raises(SourceError) as caught,
    ):
        transport.get(f"http://{at}/a")
    assert behave is BEHAVIOURS["407"] or "proxy" not in caught.value.message


def test_a_portal_that_makes_no_tunnel():
    with (
        listening(says("200 OK")) as at,
        client(environment={"https_proxy": at}, patience=PATIENCE) as transport,
        pytest.raises(SourceError, match=f"by the proxy http://{at}"),
    ):
        transport.get("https://files.example/a")


def test_a_proxy_that_speaks_no_tls_itself():
    """``https_proxy=https://…`` where the proxy speaks plain HTTP: for all that it is asked."""
    with listening(says("400 Bad Request")) as at:
        environment = {"all_proxy": f"https://{at}"}
        for scheme in ("http", "https"):
            with (
                client(environment=environment, patience=PATIENCE) as transport,
                pytest.raises(SourceError, match=f"the proxy https://{at} speaks no TLS") as caught,
            ):
                transport.get(f"{scheme}://files.example/a")
            assert str(caught.value.hint).startswith("correct all_proxy: ")


@pytest.mark.parametrize(
    "form",
    ["{}", "http://{}", "http://{}/", "HTTP://{}", "http://me:s%40c%23%2F@{}", "http://me@{}"],
)
def test_forms_of_an_address(form: str):
    with (
        listening(says("200 OK", b"hi")) as at,
        client(environment={"http_proxy": form.format(at)}) as transport,
    ):
        assert transport.get("http://files.example/a") == b"hi"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://[::1",
        "://127.0.0.1:1",
        "http:127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "socks4://127.0.0.1:1",
        "http://me:12#secret@127.0.0.1:1",
        "http://me:sec?secret@127.0.0.1:1",
        "http://me:12/secret@127.0.0.1:1",
    ],
)
def test_an_address_that_is_none(address: str):
    """What may be a part of a password is not shown."""
    with (
        client(environment={"https_proxy": address}) as transport,
        pytest.raises(SourceError, match="a proxy that cannot be used") as caught,
    ):
        transport.get("https://files.example/a")
    text = f"{caught.value} {caught.value.where} {caught.value.hint}"
    assert caught.value.message == "https_proxy: a proxy that cannot be used"
    assert "secret" not in text
    assert "me:" not in text
    assert "%XX" in text
