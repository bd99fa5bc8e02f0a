"""What to do about a server or a proxy that git complains about reaches the person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from misbehaviour import Behaviour, listening, says
from refused_commits import refused
from site_of_bytes import Asked, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.git.remote_errors import COMPLAINTS, Suspect, hint_for, is_silence, suspect

AUTHORITY, LOGIN, NETWORK = "http.sslCAInfo", "credential helper", "if this network has a proxy"
PROXY, PASSWORD = "see that the proxy runs and lets this through", "into the proxy's address"
REFUSED = "the proxy refused the user name and password of its address"
REMEDIES = (AUTHORITY, LOGIN, NETWORK, PROXY, PASSWORD, REFUSED)


def remedies(error: SourceError) -> list[str]:
    """Those that the error names, of ours."""
    return [remedy for remedy in REMEDIES if remedy in hint_text(error.hint)]


def test_a_foreign_authority(tmp_path: Path, certificate: Path):
    def answer(_asked: Asked, _send: object) -> None:
        raise AssertionError

    with serve(answer, tls=certificate) as server:
        assert remedies(refused(tmp_path, f"{server.url}/r")) == [AUTHORITY]


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (says("401 Unauthorized"), [LOGIN]),
        (says("403 Forbidden"), [LOGIN]),
        (says("404 Not Found"), [LOGIN]),  # as a forge answers of what is private
        (says("500 Internal Server Error"), []),
    ],
    ids=["401", "403", "404", "500"],
)
def test_what_a_server_says(tmp_path: Path, behave: Behaviour, expected: list[str]):
    with listening(behave) as at:
        error = refused(tmp_path, f"http://{at}/r")
    assert remedies(error) == expected
    assert "proxy" not in str(error.details)


def test_no_server(tmp_path: Path):
    assert remedies(refused(tmp_path, "http://127.0.0.1:1/r")) == [NETWORK]
    assert remedies(refused(tmp_path, "http://files.invalid/r")) == [NETWORK]


@pytest.mark.parametrize("by", ["environment", "git"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", {"http": [PROXY], "https": [PROXY]}),
        ("407 Proxy Authentication Required", {"http": [REFUSED], "https": [REFUSED]}),
        ("403 Forbidden", {"http": [LOGIN, PROXY], "https": [PROXY]}),
        ("503 Service Unavailable", {"http": [PROXY], "https": [PROXY]}),
    ],
    ids=["dead", "407", "403", "503"],
)
def test_a_proxy_is_named(
    tmp_path: Path, by: str, scheme: str, status: str, expected: dict[str, list[str]]
):
    """Whoever set it: the environment, or git's own configuration."""
    with listening(says(status)) as alive:
        at = alive if status else "127.0.0.1:1"
        proxy = f"http://me:secret@{at}"
        config = f"[http]\n\tproxy = {proxy}\n" if by == "git" else ""
        environment: Mapping[str, str] = {} if config else {f"{scheme}_proxy": proxy}
        error = refused(tmp_path, f"{scheme}://files.example/r", config, **environment)
    assert f"by the proxy http://{at}" in error.details[0]
    assert "secret" not in f"{error} {error.details} {hint_text(error.hint)}"
    assert remedies(error) == expected[scheme]
    assert ("http.proxy of git" if by == "git" else f"{scheme}_proxy") in hint_text(error.hint)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_and_got_none(tmp_path: Path, scheme: str):
    with listening(says("407 Proxy Authentication Required")) as at:
        error = refused(tmp_path, f"{scheme}://files.example/r", all_proxy=at)
    assert remedies(error) == [PASSWORD]


SAID = {
    "SSL certificate problem: unable to get local issuer certificate": AUTHORITY,
    "SSL certificate problem: self-signed certificate in certificate chain": AUTHORITY,
    "server certificate verification failed. CAfile: none CRLfile: none": AUTHORITY,
    "SSL certificate problem: certificate has expired": "clock",
    "error:0A00010B:SSL routines::wrong version number": "http:// in place of https://",
    "gnutls_handshake() failed: An unexpected TLS packet was received.": "http:// in place of",
    "SSL: no alternative certificate subject name matches target host name 'a'": "is for",
    "SSL: certificate subject name (b) does not match target host name 'a'": "is for",
    "fatal: Authentication failed for 'https://a/r/'": LOGIN,
    "fatal: could not read Password for 'https://me@a': terminal prompts disabled": LOGIN,
    "remote: Repository not found.\nfatal: repository 'https://a/r/' not found": LOGIN,
    "git@a: Permission denied (publickey).\nfatal: Could not read from remote": "ssh -T",
    "Host key verification failed.\nfatal: Could not read from remote repository.": "ssh -T",
    "ssh: Could not resolve hostname a: Name or service not known": "ssh -T",
    "Received HTTP code 407 from proxy after CONNECT": PASSWORD,
    "Received HTTP code 403 from proxy after CONNECT": PROXY,
    "CONNECT tunnel failed, response 407": PASSWORD,
    "Could not resolve proxy: p": PROXY,
    "Could not resolve host: a": NETWORK,
    "Failed to connect to a port 443 after 3 ms: Couldn't connect to server": NETWORK,
    "fatal: early EOF": "",
}


@pytest.mark.parametrize(("text", "hint"), SAID.items())
def test_what_git_says(text: str, hint: str):
    found = hint_for(f"fatal: unable to access 'https://a/r/': {text}")
    assert hint in found
    assert bool(hint) == bool(found)


P, OF_A = "socks5://me:pw@p.example:1", "fatal: unable to access 'https://p.example/r/': "
SILENCES = {
    "Could not resolve host: a.example": Suspect.SERVER,
    "Couldn't resolve host 'a.example'": Suspect.SERVER,
    "Could not resolve host: p.example.org": Suspect.SERVER,
    "Could not resolve host: p.example": Suspect.PROXY,
    "Could not resolve proxy: p.example": Suspect.PROXY,
    "Failed to connect to p.example port 1 after 0 ms: Couldn't connect to server": Suspect.PROXY,
    "Failed to connect to a.example port 1 via p.example after 0 ms": Suspect.PROXY,
    "Failed to connect to a.example port 1 after 0 ms: Couldn't connect": Suspect.EITHER,
    "Couldn't connect to server": Suspect.EITHER,
}


@pytest.mark.parametrize(("text", "who"), SILENCES.items(), ids=SILENCES)
def test_who_gave_no_answer(text: str, who: Suspect):
    said = OF_A + text
    assert is_silence(said)
    assert suspect(said, P) is who
    assert suspect(said, "") is Suspect.SERVER
    assert ("socks5h" in hint_for(said, P, "it")) == (who is Suspect.SERVER)


def test_each_reason_is_met():
    hints = {hint_for(text) for text in SAID}
    assert {reason.hint for reason in COMPLAINTS} <= hints
