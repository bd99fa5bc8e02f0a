"""Waiting for a server ends when nobody wants it any more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from rvbuild.core.errors import Interrupted
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials


@contextmanager
def listening(answer: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A server that sends a few bytes to whoever connects, and is silent then."""
    met = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the other side may end it at any moment
                peer, _ = server.accept()
                with peer:
                    peer.sendall(answer)
                    met.set()
                    while peer.recv(1 << 16):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", met


SILENT = {
    "before an answer": ("http", b""),
    "in a head": ("http", b"HTTP/1.1 200 OK\r\nContent-"),
    "in a body": ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
    "in a handshake": ("https", b""),
}


@pytest.mark.parametrize(("scheme", "answer"), SILENT.values(), ids=SILENT)
def test_a_silent_server_holds_nobody(scheme: str, answer: bytes):
    """Its patience is an hour: only the cancellation ends it."""
    cancellation = Cancellation()
    patience = Patience(connect=3600.0, read=3600.0)
    caught: list[BaseException] = []
    with (
        listening(answer) as (place, met),
        Transport(
            patience=patience,
            credentials=Credentials({}),
            environment={},
            cancellation=cancellation,
        ) as transport,
    ):

        def ask() -> None:
            try:
                transport.get(f"{scheme}://{place}/x")
            except Interrupted as error:
                caught.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert met.wait(30)
        cancellation.cancel()
        asking.join(30)
        assert not asking.is_alive()
    assert [type(each) for each in caught] == [Interrupted]


def test_nothing_is_asked_afterwards():
    cancellation = Cancellation()
    cancellation.cancel()
    with (
        listening(b"") as (place, met),
        Transport(credentials=Credentials({}), cancellation=cancellation) as transport,
    ):
        with pytest.raises(Interrupted):
            transport.get(f"http://{place}/x")
        assert not met.is_set()


def test_a_pause_ends():
    cancellation = Cancellation()
    threading.Timer(0, cancellation.cancel).start()
    with pytest.raises(Interrupted):
        cancellation.pause(3600)


def _fail() -> None:
    msg = "no such host"
    raise OSError(msg)


@pytest.mark.parametrize(("call", "expected"), [(lambda: 7, 7), (lambda: None, None)])
def test_what_runs_apart_gives_what_it_gives(call: Callable[[], int | None], expected: int | None):
    assert Cancellation().run(call) == expected


def test_what_runs_apart_raises_what_it_raises():
    with pytest.raises(OSError, match="no such host"):
        Cancellation().run(_fail)


def test_what_is_late_is_late():
    """The last slice is no longer than what is left, and the error is that of the call."""
    asked: list[float] = []

    def once(seconds: float) -> int:
        asked.append(seconds)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        Cancellation().slices(0.5, once, TimeoutError)
    assert sum(asked) == pytest.approx(0.5)
    assert max(asked) < 0.5
