"""Caches on web servers that answer what a test wants."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from cache_places import services
from site_of_bytes import Answer, Asked, Served, head, serve
from web_caches import dav, nginx, static

from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.http import HttpCache, open_cache
from rvbuild.caches.marked import MarkedCache
from rvbuild.caches.names import MARK, RECORD_LIMIT
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheError, CacheMiss, CacheRefused
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.urls import Credentials

ITEM = Digest.of(b"text")
NAME = "records/ci/targets/t"


def text(status: str, body: bytes = b"", *headers: str) -> bytes:
    return head(status, f"Content-Length: {len(body)}", *headers) + body


@contextmanager
def cache_of(
    answer: Answer, credentials: Credentials | None = None
) -> Iterator[tuple[HttpCache, Served]]:
    with serve(answer) as server, services(credentials=credentials) as given:
        cache = open_cache(f"{server.url}/team/", given)
        assert isinstance(cache, HttpCache)
        yield cache, server


@pytest.mark.parametrize(
    "address", ["http://", "https:///a", "http://a b/", "http://h/a?x=y", "http://h/a#b"]
)
def test_what_is_no_address(address: str):
    with services() as given, pytest.raises(CacheRefused):
        open_cache(address, given)


def test_names_are_encoded_and_the_slash_at_the_end_of_an_address_is_none():
    with cache_of(lambda _asked, send: send(text("404 Not Found"))) as (cache, server):
        assert cache.record("records/ci/targets/a+b@1.2") is None
    assert server.asked[0].path == "/team/records/ci/targets/a%2Bb%401.2"


def forbidding(*, mark: str) -> Answer:
    """A bucket that nobody may list says 403 for what it lacks."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        send(text(mark if asked.path.endswith(MARK) else "403 Forbidden"))

    return answer


def test_forbidden_means_absent_where_the_mark_can_be_read():
    with cache_of(forbidding(mark="200 OK")) as (cache, server):
        assert cache.record(NAME) is None
        assert cache.missing([ITEM]) == {ITEM}
        with pytest.raises(CacheMiss):
            list(cache.read(ITEM))
    assert len(server.asked) == 4  # the mark is looked at once


@pytest.mark.parametrize("mark", ["403 Forbidden", "404 Not Found", "401 Unauthorized"])
def test_forbidden_is_a_refusal_elsewhere(mark: str):
    with cache_of(forbidding(mark=mark)) as (cache, _):
        for ask in (
            lambda: cache.record(NAME),
            lambda: cache.missing([ITEM]),
            lambda: list(cache.read(ITEM)),
        ):
            with pytest.raises(CacheRefused, match="403"):
                ask()


@contextmanager
def closing(answers: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Answers one request of each connection, the last answer for ever; an empty one hangs up."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        asked.append(peer.recv(1 << 16))
                        peer.sendall(answers[0])
                        if len(answers) > 1:
                            answers.pop(0)

        threading.Thread(target=run, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_broke_before_the_answer_is_made_again_once():
    """A server closes a connection that it kept, just when it is used again."""
    with closing([b"", text("200 OK", b"record")]) as (url, asked), services() as given:
        assert open_cache(url, given).record(NAME) == b"record"
    assert len(asked) == 2
    with closing([b""]) as (url, asked), services() as given, pytest.raises(CacheDown):
        open_cache(url, given).record(NAME)
    assert len(asked) == 2


def test_a_status_is_an_answer_and_nobody_asks_again():
    busy = cache_of(lambda _asked, send: send(text("503 Busy")))
    with busy as (cache, server), pytest.raises(CacheDown):
        cache.record(NAME)
    assert len(server.asked) == 1


def test_a_password_of_netrc_goes_to_the_caches_own_origin_only():
    credentials = Credentials({"127.0.0.1": ("al", "canary")})
    with serve(lambda _asked, send: send(text("200 OK", b"text"))) as other:

        def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
            send(text("302 Found", b"", f"Location: {other.url}/x"))

        with cache_of(answer, credentials) as (cache, server):
            assert b"".join(cache.read(ITEM)) == b"text"
    assert "authorization" in server.asked[0].headers
    assert "authorization" not in other.asked[0].headers


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_who_writes_is_not_sent_elsewhere(status: str):
    """The bytes would go where nobody said that they may."""
    with serve(lambda _asked, send: send(text("201 Created"))) as other:

        def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
            send(text(status, b"", f"Location: {other.url}/x"))

        with cache_of(answer) as (cache, _):
            with pytest.raises(CacheRefused, match=status[:3]):
                cache.write_record(NAME, b"text")
            with pytest.raises(CacheRefused, match=status[:3]):
                cache.remove(NAME)
    assert other.asked == []


def test_a_password_is_in_no_error():
    with serve(lambda _asked, send: send(text("401 Unauthorized"))) as server:
        address = server.url.replace("://", "://al:canary@")
        with services() as given, pytest.raises(CacheRefused) as caught:
            open_cache(address, given).record(NAME)
    error = caught.value
    assert "canary" not in f"{error} {error.hint} {error.details} {error.__cause__}"


def test_the_destination_of_a_move_has_no_login():
    asked: list[Asked] = []

    def answer(request: Asked, send: Callable[[bytes], None]) -> None:
        asked.append(request)
        send(text("201 Created"))

    with serve(answer) as server, services() as given:
        address = server.url.replace("://", "://al:canary@")
        open_cache(address, given).write_record(NAME, b"")
        moves = [each.headers["destination"] for each in asked if "destination" in each.headers]
        assert moves[-1] == f"{server.url}/{NAME}"
    assert len(moves) == 2


def test_folders_are_made_below_the_address_and_not_above_it(tmp_path: Path):
    with dav(tmp_path) as url, services() as given:
        cache = open_cache(f"{url}/team", given)
        with pytest.raises(CacheError, match=r"409|no folder"):
            cache.write_record(NAME, b"text")
        (tmp_path / "served/team").mkdir()
        cache.write_record(NAME, b"text")
    assert (tmp_path / "served/team" / NAME).read_bytes() == b"text"
    assert list((tmp_path / "served/team/tmp").iterdir()) == []


def test_a_record_that_never_ends_is_refused():
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("200 OK"))
        for _ in range(RECORD_LIMIT // (1 << 20) + 2):
            send(bytes(1 << 20))

    with cache_of(answer) as (cache, _), pytest.raises(CacheRefused, match="more than"):
        cache.record(NAME)


def test_an_offline_run_asks_nobody():
    transport = NoTransport()
    cache = open_cache("http://127.0.0.1:1/", CacheServices(transport=transport, wait=lambda: 5.0))
    for ask in (
        lambda: cache.record(NAME),
        lambda: cache.missing([ITEM]),
        lambda: cache.write(ITEM, io.BytesIO(b"text")),
    ):
        with pytest.raises(CacheRefused, match="offline"):
            ask()


def test_a_port_that_is_closed_is_down_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with services() as given, pytest.raises(CacheDown) as caught:
        open_cache(f"http://127.0.0.1:{port}", given).record(NAME)
    assert not caught.value.late


PAGE = b"<!DOCTYPE html><html><p>Please log in</p></html>"


def test_a_web_page_is_no_file_of_a_cache():
    """A portal answers whatever is asked for with one."""
    with cache_of(lambda _asked, send: send(text("200 OK", PAGE))) as (cache, _):
        asks = [
            lambda: cache.record(NAME),
            lambda: cache.record(MARK),
            lambda: MarkedCache(cache, "team").write(ITEM, io.BytesIO(b"text")),
            lambda: MarkedCache(cache, "team").write_record(NAME, b""),
        ]
        for ask in asks:
            with pytest.raises(CacheRefused, match="this is a web page, not a cache"):
                ask()


@pytest.mark.parametrize("server", [static, nginx])
def test_a_server_that_takes_no_put_is_told(
    tmp_path: Path, server: Callable[[Path], AbstractContextManager[str]]
):
    """Each has a status of its own for that."""
    (tmp_path / "served").mkdir()
    with server(tmp_path) as url, services() as given:
        cache = open_cache(url, given)
        with pytest.raises(CacheRefused, match="the server takes no writes"):
            cache.write_record(NAME, b"")
