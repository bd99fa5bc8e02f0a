"""Certificates as people meet them: who is trusted, and what to do about each that is not."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from attrs import frozen
from misbehaviour import listening, says
from site_of_bytes import Asked, client, head, serve

from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.cargo_route import cargo_route
from rvbuild.kinds.pypi.pip_route import pip_route
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.apt_route import apt_route
from rvbuild.transfers.authorities import authorities
from rvbuild.transfers.proxies import Proxies

HERE = "subjectAltName=IP:127.0.0.1"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
AUTHORITY, CLOCK, NAME = "the system's store", "clock", "that the certificate is for"


@frozen
class Company:
    """Authorities and servers' certificates in a folder: ``NAME.pem`` and ``NAME.key``."""

    folder: Path

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def root(self, name: str, extensions: str = "basicConstraints=critical,CA:TRUE") -> None:
        """An authority that signs itself."""
        (self.folder / "conf").write_text(
            f"[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\n{extensions}\n"
        )
        self._openssl("req", "-x509", *KEY, "-config", "conf", "-keyout", f"{name}.key",
                      "-out", f"{name}.pem", "-days", "9", "-subj", f"/CN={name}")  # fmt: skip

    def sign(self, name: str, by: str, extensions: str = HERE, days: int = 9) -> None:
        """A certificate that an authority signs."""
        (self.folder / "ext").write_text(extensions)
        self._openssl("req", *KEY, "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", "csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
                      "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days),
                      "-extfile", "ext")  # fmt: skip

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def chain(self, *names: str) -> Path:
        """What a server has: the key of the first, and the certificate of each."""
        parts = [self.folder / f"{names[0]}.key", *(self.folder / f"{it}.pem" for it in names)]
        file = self.folder / "chain"
        file.write_bytes(b"".join(part.read_bytes() for part in parts))
        return file


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    made = Company(tmp_path_factory.mktemp("company"))
    made.root("root")
    made.root("loose", "basicConstraints=CA:TRUE")
    made.root("alone", f"{HERE}\nbasicConstraints=critical,CA:FALSE")
    made.sign("between", "root", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign")
    made.sign("good", "root")
    made.sign("deep", "between")
    made.sign("by-loose", "loose")
    made.sign("expired", "root", days=-1)
    made.sign("other-host", "root", "subjectAltName=DNS:other.example")
    made.sign("other-address", "root", "subjectAltName=IP:10.0.0.1")
    made.sign("127.0.0.1", "root", "basicConstraints=CA:FALSE")
    return made


def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
    send(head("200 OK", "Content-Length: 2", "Connection: close") + b"hi")


def ask(certificate: Path, environment: Mapping[str, str], file: str = "") -> bytes:
    """What a server with a certificate says to somebody with these settings."""
    with serve(answer, tls=certificate) as server, client(environment=environment) as transport:
        route = Route(proxies=Proxies(), authorities=file) if file else None
        return transport.get(server.url, route=route)


TRUSTED = {
    "its authority": (("good",), "root"),
    "with the authority between": (("deep", "between"), "root"),
    "the authority between is the trusted one": (("deep",), "between"),
    "an authority that lacks fields": (("by-loose",), "loose"),
    "the certificate itself": (("alone",), "alone"),
}


@pytest.mark.parametrize(("chain", "trusted"), TRUSTED.values(), ids=TRUSTED)
def test_who_is_trusted(company: Company, chain: tuple[str, ...], trusted: str):
    """As for curl and Go."""
    assert ask(company.chain(*chain), {"SSL_CERT_FILE": company.path(trusted)}) == b"hi"


REFUSED = {
    "a foreign authority": (("by-loose",), AUTHORITY),
    "signed by itself": (("alone",), AUTHORITY),
    "the authority between is not sent": (("deep",), AUTHORITY),
    "expired": (("expired",), CLOCK),
    "another host": (("other-host",), NAME),
    "another address": (("other-address",), NAME),
    "only the old field for names": (("127.0.0.1",), NAME),
}


@pytest.mark.parametrize(("chain", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_to_do_about_a_certificate(company: Company, chain: tuple[str, ...], hint: str):
    """A new authority is no remedy where none is lacking."""
    with pytest.raises(SourceError, match="certificate is not trusted") as caught:
        ask(company.chain(*chain), {"SSL_CERT_FILE": company.path("root")})
    hints = {each: each in (caught.value.hint or "") for each in (AUTHORITY, CLOCK, NAME)}
    assert hints == {each: each == hint for each in hints}


@pytest.fixture(params=["prepared", "not prepared"])
def store(request: pytest.FixtureRequest, company: Company, tmp_path: Path) -> Path:
    """A folder of certificates, as `c_rehash` leaves it or as a person does."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "README").write_text("certificates\n")
    (folder / "company.crt").write_bytes((company.folder / "root.pem").read_bytes())
    if request.param == "prepared":
        subprocess.run(["openssl", "rehash", "."], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", ""])
def test_a_folder_of_authorities(company: Company, store: Path, variable: str):
    """Of a variable, or of a package client's configuration."""
    environment = {variable: str(store)} if variable else {}
    client_file = "" if variable else str(store)
    assert ask(company.chain("good"), environment, client_file) == b"hi"
    with pytest.raises(SourceError, match="not trusted"):
        ask(company.chain("by-loose"), environment, client_file)


def test_several_folders(company: Company, store: Path):
    environment = {"SSL_CERT_DIR": f"/nowhere:{store}"}
    assert ask(company.chain("good"), environment) == b"hi"


@pytest.mark.parametrize("variable", ["", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_this_python_is_no_stricter(company: Company, variable: str):
    """Python 3.13 is by itself."""
    path = str(company.folder) if variable == "SSL_CERT_DIR" else company.path("root")
    flags = authorities({variable: path}).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


# ---- a file that cannot be read, and a server without TLS

NOPE = "/nowhere/nope.pem"
UNREADABLE = {
    "SSL_CERT_FILE": ({"SSL_CERT_FILE": NOPE}, None),
    "SSL_CERT_DIR": ({"SSL_CERT_DIR": NOPE}, None),
    "REQUESTS_CA_BUNDLE": ({"REQUESTS_CA_BUNDLE": NOPE}, None),
    "CURL_CA_BUNDLE": ({"CURL_CA_BUNDLE": NOPE}, None),
    "PIP_CERT": ({"PIP_CERT": NOPE}, pip_route),
    "CARGO_HTTP_CAINFO": ({"CARGO_HTTP_CAINFO": NOPE}, cargo_route),
    "Acquire::https::CAInfo of apt's configuration": (
        {},
        partial(apt_route, {"acquire::https::cainfo": NOPE}),
    ),
}


@pytest.mark.parametrize(("environment", "routed"), UNREADABLE.values(), ids=UNREADABLE)
def test_who_names_authorities_that_cannot_be_read_is_named(
    environment: dict[str, str],
    routed: Callable[[Mapping[str, str]], Route] | None,
    request: pytest.FixtureRequest,
    tmp_path: Path,
):
    """Also within a search, whose lines have the message and the hint only."""
    named_by = request.node.callspec.id
    surroundings = {"HOME": str(tmp_path), "PATH": str(tmp_path), **environment}
    route = routed(surroundings) if routed else None
    with client(environment=surroundings) as transport, pytest.raises(SourceError) as caught:
        transport.get("https://127.0.0.1:1/", route=route)
    assert caught.value.message.endswith(f", of {named_by}")
    assert NOPE in caught.value.message
    assert caught.value.hint == f"correct or unset {named_by}"


def test_a_server_without_tls_is_told():
    with (
        listening(says("400 Bad Request")) as at,
        client() as transport,
        pytest.raises(SourceError, match="the server speaks no TLS") as caught,
    ):
        transport.get(f"https://{at}/x")
    assert not caught.value.details  # it was asked once
    assert "http:// in place of https://" in str(caught.value.hint)
