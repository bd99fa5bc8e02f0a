"""Caches of every kind, and a way behind each of them to what it really holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from attrs import define, field, frozen
from bucket_server import BUCKET, KEY, SECRET, BucketServer
from web_caches import dav, nginx, static

from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.table import open_cache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.deadline import Wait
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

WAIT = 2.0
"""Seconds that tests wait for a cache that misbehaves."""


class Behind(Protocol):
    """What is really in a cache, whatever it says."""

    def put(self, name: str, data: bytes) -> None: ...

    def files(self) -> dict[str, bytes]: ...

    def remove(self, name: str) -> None: ...


@define
class FolderBehind:
    """A `Behind` of a cache whose files are in a folder."""

    folder: Path

    def put(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder.parent, delete=False) as file:
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)

    def files(self) -> dict[str, bytes]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def remove(self, name: str) -> None:
        os.unlink(self.folder / name)


@frozen(kw_only=True)
class CachePlace:
    """A cache as a run has it, and what is behind it.

    Attributes:
        cache: As `open_cache` gives it.
        address: As a person writes it.
        behind: What it really holds.
        writes: Whether it can be written.
        lists: Whether it can say what it holds.
    """

    cache: VerifyingCache
    address: str
    behind: Behind
    writes: bool = True
    lists: bool = True


Place = Callable[[Path, BucketServer], AbstractContextManager[CachePlace]]


@contextmanager
def services(
    wait: Wait = lambda: WAIT,
    environment: Mapping[str, str] | None = None,
    credentials: Credentials | None = None,
) -> Iterator[CacheServices]:
    """What a run reaches caches with, which gives up early."""
    patience = Patience(stall=Stall(seconds=WAIT))
    given = environment or {}
    with Transport(
        environment=given, credentials=credentials or Credentials({}), patience=patience
    ) as transport:
        yield CacheServices(transport=transport, wait=wait, environment=given)


@contextmanager
def folder(tmp_path: Path) -> Iterator[CachePlace]:
    """A cache in an empty folder."""
    path = tmp_path / "cache"
    path.mkdir(exist_ok=True)
    with services() as given:
        cache = open_cache(str(path), given)
        yield CachePlace(cache=cache, address=str(path), behind=FolderBehind(path))


Server = Callable[[Path], AbstractContextManager[str]]
"""A web server of the folder ``served``; gives its address."""


def _web(server: Server, *, writes: bool = True) -> Place:
    @contextmanager
    def place(tmp_path: Path, _buckets: BucketServer) -> Iterator[CachePlace]:
        (tmp_path / "served/team/a").mkdir(parents=True)
        with server(tmp_path) as address, services() as given:
            yield CachePlace(
                cache=open_cache(f"{address}/team/a", given),
                address=f"{address}/team/a",
                behind=FolderBehind(tmp_path / "served/team/a"),
                writes=writes,
                lists=False,
            )

    return place


@contextmanager
def _bucket(_tmp_path: Path, buckets: BucketServer) -> Iterator[CachePlace]:
    prefix = buckets.prefix()
    address = f"s3://{BUCKET}/{prefix}?endpoint={buckets.address}"
    login = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with services(environment=login) as given:
        cache = open_cache(address, given)
        yield CachePlace(cache=cache, address=address, behind=buckets.behind(prefix))


@contextmanager
def _public_bucket(_tmp_path: Path, buckets: BucketServer) -> Iterator[CachePlace]:
    """The files of a bucket, read over HTTP by nobody in particular."""
    prefix = buckets.prefix()
    address = f"{buckets.address}/{BUCKET}/{prefix}"
    with services() as given:
        cache, behind = open_cache(address, given), buckets.behind(prefix)
        yield CachePlace(cache=cache, address=address, behind=behind, writes=False, lists=False)


PLACES: dict[str, Place] = {
    "directory": lambda tmp_path, _buckets: folder(tmp_path),
    "http: nginx": _web(partial(nginx, methods="PUT DELETE MOVE")),
    "http: nginx that does not move": _web(partial(nginx, methods="PUT DELETE")),
    "http: nginx to read": _web(nginx, writes=False),
    "http: a static server": _web(static, writes=False),
    "http: a server of DAV": _web(dav),
    "http: a public bucket": _public_bucket,
    "s3": _bucket,
}
"""By the module of each kind, and what it is proved with."""


@frozen
class Gated:
    """A real server before which a gateway can stand.

    Attributes:
        server: Its address.
        behind: What its cache really holds.
        address: Gives the cache's address at another address of the server (that of a gateway),
            with a password that belongs to it.
        environment: Gives the environment of a user with that password.
    """

    server: str
    behind: Behind
    address: Callable[[str, str], str]
    environment: Callable[[str], Mapping[str, str]] = field(default=lambda _secret: {})


@contextmanager
def _gated_nginx(tmp_path: Path, _buckets: BucketServer) -> Iterator[Gated]:
    folder = tmp_path / "served/team/a"
    folder.mkdir(parents=True)

    def address(server: str, secret: str) -> str:
        return f"{server.replace('://', f'://al:{secret}@')}/team/a"

    with nginx(tmp_path, "PUT DELETE MOVE") as server:
        yield Gated(server, FolderBehind(folder), address)


@contextmanager
def _gated_bucket(_tmp_path: Path, buckets: BucketServer) -> Iterator[Gated]:
    prefix = buckets.prefix()
    login = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    yield Gated(
        buckets.address,
        buckets.behind(prefix),
        lambda server, _secret: f"s3://{BUCKET}/{prefix}?endpoint={server}",
        lambda _secret: login,
    )


GATED: dict[str, Callable[[Path, BucketServer], AbstractContextManager[Gated]]] = {
    "http": _gated_nginx,
    "s3": _gated_bucket,
}
"""By the module of each kind that answers over a network."""
