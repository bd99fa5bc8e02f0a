"""A server that does anything at all: each transport brings the right tree, or an error in time.

Each seed is a script of faults for the requests of one fetch; what comes after it is honest.
`RVBUILD_FAULTS` says how many seeds each transport has (30 for a campaign).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from attrs import define, field
from fetch_kinds import KINDS
from fetch_places import Goods, Place, place
from hostile_answers import HEADERS, PAGES, STATUSES, TARGETS
from site_of_bytes import CLOSED, Asked, head, serve

from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience

SEEDS = int(os.environ.get("RVBUILD_FAULTS", "6"))
DEADLINE = 60.0
"""Seconds in which a fetch must have ended; its patience allows a few."""

REMOTE = {
    f"{kind}: {name}": make
    for kind, ways in KINDS.items()
    for name, make in ways.items()
    if name != "a folder"
}
PATIENCE = Patience(
    tries=3, first=0.0, retry_after=0.0, read=0.2, connect=2.0, stall=Stall(seconds=0.3)
)
NETRC_TEXT = "machine 127.0.0.1 login me password secret\n"

Send = Callable[[bytes], None]


@define
class Hostile:
    """A server in front of the honest one.

    Attributes:
        honest: What the site says.
        chance: Decides what happens to each request.
        left: How many requests still go wrong.
        elsewhere: The URL of a server that nobody has a password for.
        over: Set when the fetch has ended; whoever is silent goes then.
    """

    honest: Callable[[Asked, Send], None]
    chance: Random
    left: int
    elsewhere: str = ""
    over: threading.Event = field(factory=threading.Event)

    def answer(self, asked: Asked, send: Send) -> None:
        """Answer as the script says."""
        if self.left <= 0:
            self.honest(asked, send)
            return
        self.left -= 1
        self.chance.choice(FAULTS)(self, asked, send)

    def answer_of(self, asked: Asked) -> bytearray:
        pieces: list[bytes] = []
        self.honest(asked, pieces.append)
        return bytearray(b"".join(pieces))

    def cut(self, asked: Asked, send: Send) -> None:
        whole = self.answer_of(asked)
        send(bytes(whole[: self.chance.randrange(len(whole))]))

    def flipped(self, asked: Asked, send: Send) -> None:
        whole = self.answer_of(asked)
        start = whole.find(b"\r\n\r\n") + 4
        if start < len(whole):
            whole[self.chance.randrange(start, len(whole))] ^= 1 << self.chance.randrange(8)
        send(bytes(whole))

    def another_length(self, _asked: Asked, send: Send) -> None:
        more = self.chance.randbytes(self.chance.randrange(1, 99))
        lines = ['ETag: "y"', f"Content-Length: {len(more)}", CLOSED]
        send(head(self.chance.choice(["200 OK", "206 Partial Content"]), *lines) + more)

    def status(self, _asked: Asked, send: Send) -> None:
        word = self.chance.choice(["500 X", "503 X", "429 X", "404 X", "403 X", "416 X", "204 X"])
        send(head(word, "Content-Length: 0", CLOSED))

    def strange_head(self, asked: Asked, send: Send) -> None:
        lines = self.chance.sample(HEADERS, self.chance.randrange(4))
        body = self.answer_of(asked).partition(b"\r\n\r\n")[2]
        send(head(self.chance.choice(STATUSES), *lines, CLOSED) + bytes(body))

    def strange_page(self, _asked: Asked, send: Send) -> None:
        send(head("200 OK", CLOSED) + self.chance.choice(PAGES).encode())

    def strange_redirect(self, _asked: Asked, send: Send) -> None:
        send(head("302 X", f"Location: {self.chance.choice(TARGETS)}", CLOSED))

    def garbage(self, _asked: Asked, send: Send) -> None:
        send(self.chance.randbytes(self.chance.randrange(200)))

    def silence(self, asked: Asked, send: Send) -> None:
        if self.chance.random() < 0.5:
            send(bytes(self.answer_of(asked)[: self.chance.randrange(200)]))
        self.over.wait(DEADLINE)

    def redirect(self, asked: Asked, send: Send) -> None:
        where = self.elsewhere + asked.path
        send(head("302 X", f"Location: {where}", "Content-Length: 0", CLOSED))


FAULTS = (
    *(Hostile.cut, Hostile.flipped, Hostile.another_length, Hostile.status),
    *(Hostile.garbage, Hostile.silence, Hostile.redirect),
    *(Hostile.strange_head, Hostile.strange_page, Hostile.strange_redirect),
)


@contextmanager
def hostile(at: Place, chance: Random) -> Iterator[tuple[list[Asked], list[Asked]]]:
    """Put a hostile server before the site; what it was asked, and what a server elsewhere was."""
    server = Hostile(at.site.answer, chance, chance.randrange(1, 5))
    with serve(at.site.answer) as elsewhere, serve(server.answer) as front:
        server.elsewhere, at.site.url = elsewhere.url, front.url
        try:
            yield front.asked, elsewhere.asked
        finally:
            server.over.set()


@contextmanager
def impatient(folder: Path) -> Iterator[Place]:
    """A place whose clients wait for little, and have a password for the site."""
    netrc = folder / "netrc"
    netrc.write_text(NETRC_TEXT)
    netrc.chmod(0o600)
    with place(folder, patience=PATIENCE) as at:
        at.environment["NETRC"] = str(netrc)
        yield at


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("make", REMOTE.values(), ids=REMOTE)
def test_the_right_tree_or_an_error(tmp_path: Path, make: Callable[[Place], Goods], seed: int):
    chance = Random(seed)  # noqa: S311 - replayed by its seed
    outcome: list[object] = []
    with impatient(tmp_path) as at, hostile(at, chance) as (_, elsewhere):
        goods = make(at)

        def fetch() -> None:
            sink = DigestSink()
            try:
                goods.fetcher.fetch(goods.source, sink, no_progress)
                outcome.append(sink.tree.root)
            except BaseException as error:  # noqa: BLE001 - looked at below
                outcome.append(error)

        fetching = threading.Thread(target=fetch, daemon=True)
        fetching.start()
        fetching.join(DEADLINE)
        assert not fetching.is_alive(), "it hangs"
    (came,) = outcome
    if isinstance(came, BaseException) and not isinstance(came, SourceError | VerificationError):
        raise came
    assert came == goods.root or isinstance(came, BaseException)
    assert not any("authorization" in asked.headers for asked in elsewhere)


def test_the_faults_let_some_through_and_stop_others(tmp_path: Path):
    """Both happen, so that the test above says something."""
    ends = set()
    for seed in range(40):
        chance = Random(seed)  # noqa: S311 - the same
        (tmp_path / str(seed)).mkdir()
        with impatient(tmp_path / str(seed)) as at, hostile(at, chance) as (front, _):
            goods = KINDS["url"]["a file"](at)
            sink = DigestSink()
            try:
                goods.fetcher.fetch(goods.source, sink, no_progress)
                ends.add("tree")
            except (SourceError, VerificationError) as error:
                ends.add(type(error).__name__)
            assert all("authorization" in asked.headers for asked in front)
    assert ends >= {"tree", "SourceError", "WrongContent"}
