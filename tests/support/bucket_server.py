"""A real server of S3 (SeaweedFS), and the way behind it to what its buckets hold."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import define, field
from web_caches import free_port, running

from rvbuild.caches.bucket import utc_now
from rvbuild.caches.signature import BucketLogin, Signer
from rvbuild.core.digest import Digest

BUCKET = "team"
KEY, SECRET = "al", "a-secret"
USERS = ("ci", "lab", "collector")
"""Access keys, with the same secret, that may do what the policy of a bucket says, and no more."""
ACCOUNT = "000000000000"
"""Of all users, as policies name them."""

_START = 20.0


def _identity(name: str, *actions: str) -> dict[str, object]:
    return {
        "name": name,
        "credentials": [{"accessKey": name, "secretKey": SECRET}],
        "actions": actions,
    }


_IDENTITIES = {
    "identities": [
        _identity(KEY, "Admin", "Read", "Write", "List"),
        *map(_identity, USERS),
        {"name": "anonymous", "actions": [f"Read:{BUCKET}"]},
    ]
}


@define
class BucketServer:
    """Started by its first user, ended with the session; `address` is that of S3.

    Nobody shares files with another test: each asks for a `prefix` of its own.
    """

    folder: Path
    stack: ExitStack
    numbers: Iterator[int] = field(factory=itertools.count)
    _ports: dict[str, int] = field(factory=dict, init=False)

    @property
    def address(self) -> str:
        self._start()
        return f"http://127.0.0.1:{self._ports['s3']}"

    def prefix(self) -> str:
        return f"tests/{next(self.numbers)}"

    def behind(self, prefix: str) -> FilerBehind:
        self._start()
        return FilerBehind(self._ports["filer"], f"/buckets/{BUCKET}/{prefix}")

    def make_bucket(self, bucket: str, policy: str) -> None:
        """Make a bucket; what may be done there by whom but its owner, the policy says (JSON)."""
        self._start()
        self._ask_as_owner("PUT", f"/{bucket}")
        self._ask_as_owner("PUT", f"/{bucket}?policy=", policy.encode())

    def _start(self) -> None:
        if self._ports:
            return
        beside = os.path.dirname(sys.executable)
        program = shutil.which("weed", path=f"{beside}:{os.environ['PATH']}")
        if program is None:
            if "CI" in os.environ:
                pytest.fail("weed is missing: it comes with the extra [test]")
            pytest.skip("weed is missing: it comes with the extra [test]")
        (self.folder / "identities").write_text(json.dumps(_IDENTITIES))
        names = ("master", "volume", "filer", "s3")
        self._ports = {name: free_port() for name in names}
        grpc = [f"-{name}.port.grpc={free_port()}" for name in names]
        ports = [f"-{name}.port={port}" for name, port in self._ports.items()]
        command = [
            *(program, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-s3", f"-s3.config={self.folder}/identities", *ports, *grpc),
            *("-volume.max=20", "-master.volumeSizeLimitMB=64"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # fixed ones: two servers would meet
        ]
        self.stack.enter_context(
            running(command, self._ports["s3"], folder=self.folder, GOMEMLIMIT="300MiB")
        )
        self._make_bucket()

    def _make_bucket(self) -> None:
        """Its parts find each other some time after the first of them answers."""
        bucket, end = self.behind("of-nobody"), time.monotonic() + _START
        while bucket._ask("PUT", "file") is None or b"NoSuchBucket" in self._ask_s3():
            if time.monotonic() > end:
                pytest.fail("the server of S3 does not begin to serve")
            threading.Event().wait(0.05)

    def _ask_as_owner(self, method: str, path: str, data: bytes = b"") -> None:
        port, signer = self._ports["s3"], Signer(BucketLogin(KEY, SECRET), "us-east-1")
        url = f"http://127.0.0.1:{port}{path}"
        headers = signer.headers(method, url, Digest.of(data).hash, utc_now())
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            assert answer.status < 300, answer.read()

    def _ask_s3(self) -> bytes:
        port = self._ports["s3"]
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", f"/{BUCKET}/nothing")
            return connection.getresponse().read()


@define
class FilerBehind:
    """A `Behind` of a bucket: SeaweedFS' own way to its files, which is not S3."""

    port: int
    root: str

    def _ask(self, method: str, name: str, data: bytes = b"") -> bytes | None:
        headers = {"Accept": "application/json", "Content-Type": "application/octet-stream"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, quote(f"{self.root}/{name}"), data, headers)
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status < 300 else None

    def put(self, name: str, data: bytes) -> None:
        assert self._ask("PUT", name, data) is not None

    def remove(self, name: str) -> None:
        assert self._ask("DELETE", name) is not None

    def files(self) -> dict[str, bytes]:
        return dict(self._files(""))

    def _files(self, folder: str) -> Iterator[tuple[str, bytes]]:
        entries = json.loads(self._ask("GET", folder) or b"{}").get("Entries") or []
        for entry in entries:
            name = folder + entry["FullPath"].rpartition("/")[2]
            if entry["Mode"] & 1 << 31:
                yield from self._files(f"{name}/")
            else:
                yield name, self._ask("GET", name) or b""


@contextmanager
def bucket_server(folder: Path) -> Iterator[BucketServer]:
    """A server that nobody has started yet."""
    with ExitStack() as stack:
        yield BucketServer(folder, stack)
