"""Behind a company's proxy, with its own authority, passwords, index and GOPROXY.

Everything that is locked and fetched comes from one server that only the proxy reaches. Each
part of the set-up is then left out, and the error names that part.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from attrs import evolve, frozen
from site_of_bytes import Asked, head, serve
from world import Ran, World

HOST = "inside.example"
MODULE = "example.org/mod"
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


def _basic(user: str, word: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()


def _zip(files: Mapping[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return into.getvalue()


def _pages() -> dict[str, bytes]:
    wheel = _zip({"tool.py": b"x = 1\n", "tool-1.dist-info/METADATA": b""})
    name = "tool-1-py3-none-any.whl"
    hashes = {"sha256": hashlib.sha256(wheel).hexdigest()}
    files = [{"filename": name, "url": f"/files/{name}", "hashes": hashes}]
    index = {"meta": {"api-version": "1.1"}, "name": "tool", "files": files}
    go_mod = b"module example.org/mod\n"
    prefix = f"{MODULE}@v1.0.0/"
    module = {f"{prefix}go.mod": go_mod, f"{prefix}m.go": b"package mod\n"}
    return {
        "/simple/tool/": json.dumps(index).encode(),
        f"/files/{name}": wheel,
        f"/go/{MODULE}/@v/v1.0.0.zip": _zip(module),
        f"/go/{MODULE}/@v/v1.0.0.mod": go_mod,
        f"/go/{MODULE}/@v/v1.0.0.info": b'{"Version":"v1.0.0"}',
    }


PAGES = _pages()


def _answer(asked: Asked, send: Callable[[bytes], None]) -> None:
    if asked.headers.get("authorization") != _basic("me", "secret"):
        send(head("401 Unauthorized", "Content-Length: 0"))
        return
    data = PAGES.get(asked.path)
    status = "404 Not Found" if data is None else "200 OK"
    kind = "application/vnd.pypi.simple.v1+json" if "/simple/" in asked.path else "text/plain"
    data = data or b""
    send(head(status, f"Content-Type: {kind}", f"Content-Length: {len(data)}") + data)


@contextmanager
def _proxy(port: int) -> Iterator[str]:
    """A proxy that makes tunnels to ``HOST``, which is a port of this machine, for its friends."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, target, _ = self.rfile.readline().decode().split(" ", 2)
            login = ""
            while (line := self.rfile.readline().decode().strip()) != "":
                name, _, value = line.partition(": ")
                login = value if name.lower() == "proxy-authorization" else login
            if login != _basic("clerk", "sesame"):
                self.wfile.write(head("407 Proxy Authentication Required", "Content-Length: 0"))
            elif method != "CONNECT" or target.rpartition(":")[0] != HOST:
                self.wfile.write(head("403 Forbidden", "Content-Length: 0"))
            else:
                with socket.create_connection(("127.0.0.1", port)) as inner:
                    self.wfile.write(head("200 Connection established"))
                    threading.Thread(
                        target=_pump, args=(self.connection, inner), daemon=True
                    ).start()
                    _pump(inner, self.connection)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _authority(folder: Path) -> tuple[Path, Path]:
    """The company's certificate beside the system's; and the server's, with its key."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "9",
            "-subj", "/CN=Company")  # fmt: skip
    openssl("req", *key, "-keyout", "s.key", "-out", "s.csr", "-subj", f"/CN={HOST}")
    (folder / "ext").write_text(f"subjectAltName=DNS:{HOST}\n")
    openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "s.pem", "-days", "9", "-extfile", "ext")  # fmt: skip
    both, bundle = folder / "both.pem", folder / "bundle.pem"
    both.write_bytes((folder / "s.key").read_bytes() + (folder / "s.pem").read_bytes())
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    bundle.write_bytes(
        (system.read_bytes() if system.exists() else b"") + (folder / "ca.pem").read_bytes()
    )
    return bundle, both


WITH_AUTHORITY = """\
set -e
mount --make-rprivate /
mount --bind "$1" /etc/ssl/certs/ca-certificates.crt
shift
exec "$@"
"""
"""As update-ca-certificates leaves it, for this process and those that it starts."""


@frozen
class Company:
    """A world whose only way out is the company's."""

    world: World
    bundle: Path
    other: Path

    def run(self, *words: str, trusted: bool = True, **environment: str | None) -> Ran:
        changed = {**self.world.environment, **environment}
        given = {name: value for name, value in changed.items() if value is not None}
        wrapper = ["unshare", "-m", "sh", "-c", WITH_AUTHORITY, "sh"]
        wrapper.append(str(self.bundle if trusted else self.other))
        return evolve(self.world, environment=given).run(*words, wrapper=wrapper)


@pytest.fixture
def company(bare: World, tmp_path: Path) -> Iterator[Company]:
    bundle, both = _authority(tmp_path)
    other = tmp_path / "other.pem"
    shutil.copy(SYSTEM, other)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine {HOST} login me password secret\n")
    (home / ".netrc").chmod(0o600)
    bare.recipe("w", "kind: source\nversion: '1'\nsources: {w: {pypi: tool, version: '1'}}\n")
    text = f"kind: source\nversion: '1'\nsources: {{m: {{go-module: {MODULE}, version: v1.0.0}}}}\n"
    bare.recipe("m", text)
    dropped = ("proxy", "PIP_", "UV_", "SSL_", "GOPROXY", "GOFLAGS", "REQUESTS_", "CURL_", "NETRC")
    kept = {
        name: value
        for name, value in bare.environment.items()
        if not any(word.lower() in name.lower() for word in dropped)
    }
    with serve(_answer, tls=both) as server, _proxy(int(server.url.rpartition(":")[2])) as proxy:
        environment = {
            **kept,
            "HOME": str(home),
            "https_proxy": f"http://clerk:sesame@{proxy}",
            "http_proxy": f"http://clerk:sesame@{proxy}",
            "PIP_INDEX_URL": f"https://{HOST}/simple",
            "GOPROXY": f"https://{HOST}/go",
            "GONOSUMDB": "*",
        }
        yield Company(evolve(bare, environment=environment), bundle, other)


@pytest.mark.privileged
def test_it_locks_and_builds(company: Company):
    for words in (("lock",), ("w", "m")):
        ran = company.run(*words)
        assert ran.code == 0, str(ran)
    result = company.world.folder / "result"
    assert (result / "w/tool.py").read_text() == "x = 1\n"
    assert (result / "m/m.go").read_text() == "package mod\n"
    assert "sesame" not in (company.world.folder / "rvbuild.lock").read_text()


LEFT_OUT: dict[str, tuple[str, dict[str, str | None], list[str]]] = {
    "the authority": ("w", {}, ["certificate is not trusted", "hint: ", "system's store"]),
    "the proxy": (
        "w",
        {"https_proxy": None, "http_proxy": None},
        [HOST, "hint: ", "if this network has a proxy, set https_proxy"],
    ),
    "the proxy's password": (
        "m",
        {"https_proxy": "", "http_proxy": ""},
        ["the proxy http://127.0.0.1:", "refuses (407", "hint: put a user name and a password"],
    ),
    "netrc": ("w", {"NETRC": os.devnull}, ["refused (401", "hint: ", "netrc"]),
    "the index": ("w", {"PIP_INDEX_URL": "https://other.example/simple"}, ["403", "PIP_INDEX_URL"]),
    "GOPROXY": ("m", {"GOPROXY": "off"}, ["GOPROXY=off"]),
}


@pytest.mark.privileged
@pytest.mark.parametrize(("recipe", "change", "said"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_without_a_part_the_error_names_it(
    company: Company, recipe: str, change: dict[str, str | None], said: list[str]
):
    if change.get("https_proxy") == "":
        proxy = company.world.environment["https_proxy"].replace("clerk:sesame@", "")
        change = {"https_proxy": proxy, "http_proxy": proxy}
    ran = company.run("lock", recipe, trusted=bool(change), **change)
    assert ran.code == 4, str(ran)
    ran.said(*said)
    assert "sesame" not in ran.err
    assert "secret" not in ran.err
