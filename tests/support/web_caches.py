"""Web servers that a cache can be on: nginx, a static one, and one that makes no folder unasked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

_START = 10.0

_CONFIGURATION = """
daemon off;
master_process off;
pid {work}/pid;
error_log {work}/errors;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  {servers}
}}
"""

_SERVER = """
server {{
  listen 127.0.0.1:{port};
  location / {{
    root {folder};
    client_max_body_size 0;
    create_full_put_path on;
    {methods}
  }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something answers at a port."""
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{process.args!r} does not begin to serve")


@contextmanager
def running(
    command: list[str], port: int, *, folder: Path | None = None, **environment: str
) -> Iterator[None]:
    """A server as a process of its own (in ``folder``), which is ended afterwards."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(port, process)
            yield
        finally:
            process.kill()


@contextmanager
def nginx(tmp_path: Path, methods: str = "") -> Iterator[str]:
    """Nginx over ``tmp_path/served``; its address. ``methods`` are those of DAV."""
    folder, port = tmp_path / "served", free_port()
    folder.mkdir(exist_ok=True)
    dav_methods = f"dav_methods {methods};" if methods else ""
    servers = _SERVER.format(port=port, folder=folder, methods=dav_methods)
    with nginx_with(servers, tmp_path / "nginx", port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def nginx_with(servers: str, work: Path, port: int) -> Iterator[None]:
    """Nginx with these blocks of a configuration, of which one listens at the port."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("nginx is missing: install nginx-light")
        pytest.skip("nginx is missing: install nginx-light")
    work.mkdir()
    (work / "conf").write_text(_CONFIGURATION.format(work=work, servers=servers))
    command = [program, "-p", str(work), "-e", str(work / "errors"), "-c", str(work / "conf")]
    with running(command, port):
        yield


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Clients hang up as they like."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Files(SimpleHTTPRequestHandler):
    """Python's own server of files, which knows no ranges, over ``folder``."""

    folder = Path()

    def __init__(self, *request: object) -> None:
        super().__init__(*request, directory=str(self.folder))  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None: ...


class _Dav(_Files):
    """A server like Apache's DAV: what it puts needs a folder, which MKCOL makes."""

    protocol_version = "HTTP/1.1"

    def _path(self, url: str) -> Path:
        return Path(self.translate_path(unquote(urlsplit(url).path)))

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        path, size = self._path(self.path), int(self.headers["Content-Length"])
        data = self.rfile.read(size)
        if len(data) == size:
            has_folder = path.parent.is_dir()  # asked once: see do_MOVE
            if has_folder:
                path.write_bytes(data)
            self._answer(201 if has_folder else 409)

    def do_MKCOL(self) -> None:
        try:
            self._path(self.path).mkdir()
        except FileExistsError:
            self._answer(405)
        except FileNotFoundError:
            self._answer(409)
        else:
            self._answer(201)

    def do_MOVE(self) -> None:
        path = self._path(self.headers["Destination"])
        has_folder = path.parent.is_dir()  # asked once: somebody may make it meanwhile
        if has_folder:
            os.replace(self._path(self.path), path)
        self._answer(204 if has_folder else 409)

    def do_DELETE(self) -> None:
        try:
            os.unlink(self._path(self.path))
        except FileNotFoundError:
            self._answer(404)
        else:
            self._answer(204)


@contextmanager
def _over(tmp_path: Path, handler: type[_Files]) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir(exist_ok=True)
    with serving(type("Handler", (handler,), {"folder": folder})) as address:
        yield address


def static(tmp_path: Path) -> AbstractContextManager[str]:
    """Python's server over ``tmp_path/served``; its address."""
    return _over(tmp_path, _Files)


def dav(tmp_path: Path) -> AbstractContextManager[str]:
    """The one like Apache's over ``tmp_path/served``; its address."""
    return _over(tmp_path, _Dav)
