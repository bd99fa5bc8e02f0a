"""Nobody waits for what is under way in a cache once it is of no use: after an error, and ^C."""

from __future__ import annotations

import io
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from team import NOW, key_id, signed_by, verify
from web_caches import serving
from workspaces import workspace

from rvbuild.app.run_caches import RunCache, opened
from rvbuild.app.session import Session
from rvbuild.caches.lease import Lease
from rvbuild.caches.push import Pusher
from rvbuild.caches.shipment import Shipment
from rvbuild.caches.tree_packs import plan_packs
from rvbuild.caches.verification import CacheVerifier
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheRefused
from rvbuild.core.events import silent
from rvbuild.core.realisation import Realisation
from rvbuild.stores.memory import MemoryStore

WAIT = 60.0
SOON = 15.0
"""Seconds: far less than a wait, and enough for a busy machine."""

ITEMS = [Digest.of(b"%d" % at) for at in range(4)]


class Stuck(BaseHTTPRequestHandler):
    """A server of which one object is refused, and the others are never done with.

    It takes all else, has none of it, and lists the objects as a bucket does.
    """

    protocol_version = "HTTP/1.1"
    method = ""
    first = ""
    refuse: Callable[[], int]
    waiting: threading.Semaphore
    end: threading.Event

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer_object(self) -> None:
        if self.path.endswith(self.first):
            for _ in ITEMS[1:]:
                self.waiting.acquire(timeout=WAIT)
            if status := self.refuse():
                self._answer(status)
                return
        self.waiting.release()
        self.end.wait(WAIT)

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if "list-type" in self.path:
            self._answer(200, listed())
        elif "/objects/" in self.path and self.command == self.method:
            self._answer_object()
        else:
            self._answer(404 if self.command in {"GET", "HEAD"} else 201)

    def do_GET(self) -> None:
        self._any()

    def do_HEAD(self) -> None:
        self._any()

    def do_PUT(self) -> None:
        self._any()

    def do_DELETE(self) -> None:
        self._any()

    def do_MOVE(self) -> None:
        self._answer(405)

    def log_message(self, *_: object) -> None: ...


def listed() -> bytes:
    contents = "".join(
        f"<Contents><Key>objects/{item.hash[:2]}/{item.hash}</Key><Size>{item.size}</Size>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
        for item in ITEMS
    )
    return f"<ListBucketResult>{contents}</ListBucketResult>".encode()


def tree_of(store: MemoryStore) -> Digest:
    """A tree with several packs."""
    with store.trees.new_tree() as tree:
        for at in range(4):
            tree.file(f"{at}", [b"%d" % at * (2 << 20)])
        return tree.commit().root


def first_pack(folder: Path) -> str:
    store = MemoryStore(str(folder))
    first, *_ = plan_packs(store.trees.tree(tree_of(store)))
    return first.write(store.cas, io.BytesIO()).digest.hash


def push(cache: RunCache, folder: Path) -> None:
    store = MemoryStore(str(folder))
    realisation = Realisation(key=ITEMS[0], output=tree_of(store))
    Pusher(
        cache=cache.cache,
        cas=store.cas,
        trees=store.trees,
        key_id=key_id("ci"),
        valid_ids=(key_id("ci"),),
        sign=signed_by("ci"),
        open=lambda data, kind, where: verify(data, kind, where)[1],
        pushed=lambda *_: None,
        lease=Lease(cache.cache, "team", lambda: NOW, "ci"),
    ).push_result(Shipment(label="app", realisation=realisation, checks={}))


def look(cache: RunCache, _: Path) -> None:
    cache.cache.missing(ITEMS)


def read_all(cache: RunCache, _: Path) -> None:
    CacheVerifier(cache.cache, lambda *_: None, (), lambda _: None).run()


ASKS: dict[str, tuple[Callable[[RunCache, Path], None], str, str]] = {
    "push": (push, "PUT", "{}/team"),
    "look": (look, "HEAD", "{}/team"),
    "verify": (read_all, "GET", "s3://team?endpoint={}"),
}


def interrupt() -> int:
    """Press ^C, and let this object be as the others."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    return 0


FAILURES = {"refused": (CacheRefused, lambda: 403), "^C": (KeyboardInterrupt, interrupt)}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", ASKS)
def test_what_is_under_way_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, failure: str
):
    (ask, method, address), (error, refuse) = ASKS[name], FAILURES[failure]
    first = first_pack(tmp_path / "plan") if name == "push" else ITEMS[0].hash
    end, before = threading.Event(), threading.enumerate()
    facts = {
        "method": method,
        "first": first,
        "refuse": staticmethod(refuse),
        "waiting": threading.Semaphore(0),
        "end": end,
    }
    with serving(type("Handler", (Stuck,), facts)) as server:
        monkeypatch.setenv("RVBUILD_CACHES", f"team=read+write {address.format(server)}")
        with closing(Session(workspace(str(tmp_path)), silent)) as session:
            begin = time.monotonic()
            with pytest.raises(error), opened(session, wait=WAIT) as caches:
                ask(caches.caches[0], tmp_path / "store")
            assert time.monotonic() - begin < SOON
            after = [each for each in threading.enumerate() if each not in before]
            workers = [each for each in after if "ThreadPool" in each.name]
            for worker in workers:  # it ends, though the server says nothing yet
                worker.join(SOON)
            assert not any(worker.is_alive() for worker in workers)
        end.set()
