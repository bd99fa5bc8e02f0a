"""A loopback server that stands for Debian's snapshot archive, and for a mirror.

Knows: the layout of both, where this machine's apt has Debian's files from. Must not know: what is
asked for, and why.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import define, field, frozen

from rvbuild.core.errors import RvbuildError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.transfers.apt_config import Archives, find_archives
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.pinned_files import Pin


@define
class Debian:
    """Files of Debian by their path, from the archives that this machine knows.

    Each is kept in ``folder``: no file is asked for twice.
    """

    folder: Path
    archives: Archives
    services: FetchServices
    _locks: defaultdict[str, threading.Lock] = field(
        factory=lambda: defaultdict(threading.Lock), init=False
    )

    @classmethod
    def of_this_machine(cls, folder: Path) -> Debian:
        settings = FetchSettings(tmp=str(folder / "tmp"), environment=os.environ)
        return cls(folder / "files", find_archives(os.environ), FetchServices(settings))

    def file(self, path: str, moment: str) -> Path | None:
        """The file at ``path``; None if no archive has it, nor the snapshot archive of then."""
        file = self.folder / path
        with self._locks[path]:
            if not file.exists() and not self._fetch(path, moment, file):
                return None
        return file

    def _fetch(self, path: str, moment: str, to: Path) -> bool:
        past = [f"{base}/{moment}" for base in self.archives.snapshots if moment]
        addresses = [
            self.archives.address(f"{base}/{path}") for base in (*self.archives.bases, *past)
        ]
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            pin = Pin(label=path, sha256="")
            with (
                self.services.files.opened(pin, addresses, no_progress) as download,
                to.with_suffix(".part").open("wb") as part,
            ):
                shutil.copyfileobj(download.file, part)
        except RvbuildError:
            return False
        to.with_suffix(".part").rename(to)
        return True


@frozen
class Site:
    """A running server.

    Attributes:
        url: Its address; ``archive/MOMENT/`` is a snapshot archive, ``mirror/`` a mirror.
        asked: The path of each request that was answered with a file.
        dropped: Names of packages that the mirror does not have.
    """

    url: str
    asked: list[str] = field(factory=list)
    dropped: set[str] = field(factory=set)


@contextmanager
def served(debian: Debian) -> Iterator[Site]:
    """Serve Debian's files, each as a snapshot archive and as a mirror has it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, kind, path = self.path.split("/", 2)
            moment = ""
            if kind == "archive":
                moment, _, path = path.partition("/")
            package = path.rpartition("/")[2].partition("_")[0]
            gone = kind == "mirror" and package in site.dropped
            file = None if gone or ".." in path else debian.file(path, moment)
            if file is None:
                self.send_error(404)
                return
            site.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            with file.open("rb") as content:
                shutil.copyfileobj(content, self.wfile)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
