"""Servers that send for ever what is no body: each is left, soon, and a little of it is harmless.

Real sockets on the loopback device. No test waits: the clock is one that ticks when it is read.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator

import pytest
from site_of_bytes import Asked, client, head, serve

from rvbuild.core.errors import SourceError
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.transport import Patience

CHUNKED = head("200 OK", "Transfer-Encoding: chunked")
BODY = b"7\r\nthe end\r\n"
END = b"0\r\n\r\n"
OK = head("200 OK", "Content-Length: 7") + b"the end"

Odd = tuple[bytes, bytes, bytes]
"""What comes before, what comes again and again, and what would come at last."""

REST = OK.partition(b"\r\n")[2]

ODD: dict[str, Odd] = {
    "100 Continue": (b"", head("100 Continue"), OK),
    "103 Early Hints": (b"", head("103 Early Hints", "Link: </x>; rel=preload"), OK),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n", REST),
    "a header's value": (
        b"HTTP/1.1 200 OK\r\nX: ",
        b"xxxxxxxxxx",
        b"\r\n" + OK.partition(b"\n")[2],
    ),
    "a status line": (b"HTTP/1.1 200 ", b"OK OK OK ", b"\r\n" + REST),
    "chunks' extensions": (CHUNKED, b"1;" + b"x" * 500 + b"\r\n.\r\n", BODY + END),
    "a chunk's extension": (CHUNKED + b"7;", b"xxxxxxxxxx", b"\r\nthe end\r\n" + END),
    "trailers": (CHUNKED + BODY + b"0\r\n", b"X-More: x\r\n", b"\r\n"),
    "a trailer's value": (CHUNKED + BODY + b"0\r\nX: ", b"xxxxxxxxxx", b"\r\n\r\n"),
}


class Clock:
    """Five seconds pass whenever somebody looks."""

    def __init__(self) -> None:
        self._ticks = itertools.count(step=5)

    def __call__(self) -> float:
        return float(next(self._ticks))


def still() -> float:
    """No time passes: only what comes can end it."""
    return 0.0


def endless(odd: Odd) -> Iterator[bytes]:
    yield odd[0]
    while True:
        yield odd[1] * 100


def dripping(odd: Odd) -> Iterator[bytes]:
    yield odd[0]
    while True:
        for each in odd[1]:
            threading.Event().wait(0.0005)  # so that a read gets little; the clock is not this one
            yield bytes([each])


def few(odd: Odd) -> Iterator[bytes]:
    yield odd[0]
    yield odd[1] * 5
    yield odd[2]


def answers(sequence: Callable[[Odd], Iterator[bytes]], odd: Odd):
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        for piece in sequence(odd):
            send(piece)

    return answer


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_little_of_it_is_harmless(odd: Odd):
    """The control: the same things, five times, and then what was asked for."""
    with serve(answers(few, odd)) as server, client(clock=still) as http:
        assert http.get(server.url).endswith(b"the end")


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_never_ends_is_left_however_fast_it_comes(odd: Odd):
    """No time passes, so no deadline can help."""
    with (
        serve(answers(endless, odd)) as server,
        client(clock=still) as http,
        pytest.raises(SourceError, match="could not be downloaded"),
    ):
        http.get(server.url)
    assert len(server.asked) == 4


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_never_ends_is_left_however_slowly_it_comes(odd: Odd):
    """Twice: each attempt costs the whole patience. Some come to their limit before."""
    patience = Patience(stall=Stall(seconds=200))
    with (
        serve(answers(dripping, odd)) as server,
        client(clock=Clock(), patience=patience) as http,
        pytest.raises(SourceError, match=r"timed out \(only \d bytes in 20\d s\)"),
    ):
        http.get(server.url)
    assert len(server.asked) == 2


@pytest.mark.parametrize("piece", [b"1\r\nx\r\n", b"000000000000001\r\nx\r\n"])
def test_small_chunks_are_an_answer(piece: bytes):
    """Much that is no body comes with a body: that alone is no reason to leave."""
    odd = (CHUNKED, piece * 400, END)

    def whole(odd: Odd) -> Iterator[bytes]:
        yield odd[0]
        yield from [odd[1]] * 50 if len(piece) < 10 else [odd[1]] * 5
        yield odd[2]

    with serve(answers(whole, odd)) as server, client(clock=still) as http:
        assert set(http.get(server.url)) == set(b"x")


def test_a_server_may_think_before_it_answers():
    """Until the first byte only the read's own timeout counts, then the rest has its time."""
    patience = Patience(stall=Stall(seconds=6))
    with (
        serve(answers(few, (b"", b"", OK))) as server,
        client(clock=Clock(), patience=patience) as http,
    ):
        assert http.get(server.url) == b"the end"


def test_an_unasked_change_of_protocol_is_refused():
    with (
        serve(answers(few, (head("101 Switching Protocols", "Upgrade: x"), b"", b""))) as server,
        client() as http,
        pytest.raises(SourceError),
    ):
        http.get(server.url)


# ---- servers that begin again for ever

PIECE = bytes(range(256)) * 512  # 128 KiB: enough to count as progress


def test_what_begins_anew_each_time_ends():
    """Each answer is longer than the one before it, has another validator, and breaks off."""
    numbers = itertools.count(1)

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        n = next(numbers)
        send(head("200 OK", f'ETag: "{n}"', f"Content-Length: {len(PIECE) * 1000}"))
        send(PIECE * n)

    with serve(answer) as server, client() as http, pytest.raises(SourceError):
        http.get(server.url, limit=1 << 40)
    assert 4 <= len(server.asked) <= 12


def test_what_goes_on_and_takes_it_back_ends():
    """A piece, then `no such range`, then a piece: each piece looks like progress."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        if asked.start:
            send(head("416 No", "Content-Length: 0"))
        else:
            send(head("200 OK", 'ETag: "x"', f"Content-Length: {len(PIECE) * 1000}") + PIECE)

    with serve(answer) as server, client() as http, pytest.raises(SourceError):
        http.get(server.url, limit=1 << 40)
    assert 4 <= len(server.asked) <= 24


def test_what_goes_on_each_time_arrives():
    """The control: a server that breaks off as often, and continues."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        total, start = len(PIECE) * 40, asked.start
        left = head(
            "206 Part" if start else "200 OK",
            'ETag: "x"',
            f"Content-Length: {total - start}",
            f"Content-Range: bytes {start}-{total - 1}/{total}",
        )
        send(left + (PIECE * 40)[start : start + len(PIECE)])

    with serve(answer) as server, client() as http:
        assert http.get(server.url) == PIECE * 40
    assert len(server.asked) == 40


def test_the_words_of_a_refusal_end():
    """What explains a 404 is read, too."""
    endless_words = (head("404 No", "Content-Type: text/plain", "Connection: close"), b"word ", b"")
    with (
        serve(answers(endless, endless_words)) as server,
        client(clock=still) as http,
        pytest.raises(SourceError, match=re.escape("not there (404 No: word word")),
    ):
        http.get(server.url)
