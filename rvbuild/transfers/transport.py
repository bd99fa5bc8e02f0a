"""Bytes over HTTP: the one client that every fetcher uses.

Knows: retries, redirects, deadlines, whose credentials go where, and which servers are given up.
Must not know: what the bytes are; callers verify them.
"""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby
from typing import BinaryIO, ClassVar, Self

import httpx
from attrs import define, evolve, field, frozen

from rvbuild.core.errors import Unreachable
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.transfers.addresses import Route, server_of
from rvbuild.transfers.attempts import TRY_AGAIN
from rvbuild.transfers.authorities import authorities
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.local_files import LocalFiles
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.sender import Answer, HttpRequest, Sender
from rvbuild.transfers.servers import Servers, Silence
from rvbuild.transfers.transfer import (
    DOCUMENT_LIMIT,
    DOWNLOAD_LIMIT,
    Again,
    Received,
    Transfer,
)
from rvbuild.transfers.urls import Credentials, shown
from rvbuild.transfers.waits import Waits
from rvbuild.transfers.wire import Wire

_BODY = {200, 206, 416}
_PROGRESS = 64 << 10
_LINES = 8


@frozen(kw_only=True)
class Patience:
    """How long to try.

    Attributes:
        tries: Attempts that may fail one after another without any progress.
        stalls: So many of them may be stalled: each costs more time than any other failure.
        restarts: How often a server may not continue what it began.
        first, longest: Seconds between attempts: doubled each time, with jitter.
        retry_after: A server that asks to wait longer than this (seconds) is given up.
        connect, read: Seconds for a connection, and for one read.
        stall: When a server that trickles is given up.
    """

    tries: int = 4
    stalls: int = 2
    restarts: int = 8
    first: float = 0.5
    longest: float = 20.0
    retry_after: float = 60.0
    connect: float = 15.0
    read: float = 60.0
    stall: Stall = field(factory=Stall)

    @property
    def timeouts(self) -> httpx.Timeout:
        """Those of one attempt; nobody's patience ends while others have all connections."""
        return httpx.Timeout(self.read, connect=self.connect, pool=None)

    @property
    def most(self) -> float:
        """Seconds after which a server that gives no answer at all is given up."""
        pauses = (min(self.first * 2.0**count, self.longest) for count in range(1, self.tries))
        return self.tries * (self.connect + self.read) + sum(pauses)


class Transport:
    """A thread-safe HTTP client; use one for everything, and close it.

    Args:
        connections: At most so many at once.
        patience: How long to try.
        environment: The user's: proxies, authorities, netrc.
        credentials: By host; by default those of netrc.
        cancellation: Ends what waits; nobody's by default.
        waits: Says for whom it waits.
        sleep, clock, jitter: The world's, or a test's. ``jitter`` gives a number in [0, 1).

    Attributes:
        offline: Whether it refuses every URL, because ``--offline`` forbids the network.
        route: How servers are reached, if nobody says otherwise.
        clock: Seconds that only grow.
        local: Reads what is at addresses of this machine.
        servers: Those that gave no answer in this run.
    """

    offline: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913 - keyword-only, each with a default
        self,
        *,
        connections: int = 32,
        patience: Patience | None = None,
        environment: Mapping[str, str] = os.environ,
        credentials: Credentials | None = None,
        cancellation: Cancellation | None = None,
        waits: Waits | None = None,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience or Patience()
        cancellation = cancellation or Cancellation()
        self.route = Route(proxies=Proxies.of_environment(environment))
        self._sleep = sleep or cancellation.pause
        self.local = LocalFiles(cancellation)
        self.servers = Servers(clock)
        self.clock = clock
        self._jitter = jitter
        self._wire = Wire(
            connections=connections,
            stall=self._patience.stall,
            clock=clock,
            trust=partial(authorities, environment),
            cancellation=cancellation,
            answered=self.servers.answered,
        )
        self._sender = Sender(
            wire=self._wire,
            credentials=Credentials.from_netrc(environment) if credentials is None else credentials,
            cancellation=cancellation,
            servers=self.servers,
            waits=waits or Waits(),
            timeouts=self._patience.timeouts,
            most=self._patience.most,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open."""
        self._wire.close()

    def send(self, request: HttpRequest) -> Answer:
        """The head of the answer to a request, which is made once.

        Raises: as `Sender.open`.
        """
        return self._sender.open(request)

    def get(
        self,
        url: str,
        *,
        limit: int = DOCUMENT_LIMIT,
        headers: Mapping[str, str] | None = None,
        route: Route | None = None,
    ) -> bytes:
        """A small document, whole.

        Raises: as ``download``.
        """
        to = io.BytesIO()
        self.download(url, to, limit=limit, headers=headers, route=route)
        return to.getvalue()

    def download(  # noqa: PLR0913 - keyword-only, each with a default
        self,
        url: str,
        to: BinaryIO,
        *,
        expect_size: int | None = None,
        limit: int = DOWNLOAD_LIMIT,
        hashed: bool = False,
        headers: Mapping[str, str] | None = None,
        route: Route | None = None,
        login: bool = True,
        advance: Advance = no_progress,
    ) -> Received:
        """Write the body of ``url`` to ``to``; after a cut, go on where it ended.

        Args:
            url: ``http`` or ``https``; a user name and password in it are sent to its origin only.
            to: Must be able to seek and truncate, for when the server begins again.
            expect_size: Bytes; any other size is refused as soon as it is known.
            limit: Bytes; more is refused.
            hashed: Compute the SHA-256 on the way.
            headers: Further request headers, sent to every hop: nothing secret.
            route: How the server is reached, if a client's configuration says so.
            login: Whether the server may have what the user has for its host.
            advance: Told of every piece.

        Raises:
            NotThere: 404 or 410.
            Unreachable: every attempt failed, or the server was given up before; ``details`` has
                what it answered.
            SourceError: it refused.
            Interrupted: the run was cancelled.
            VerificationError: the size is not ``expect_size``.
            StoreError: ``to`` cannot be written.
        """
        transfer = Transfer(
            url, to, expect_size=expect_size, limit=limit, hashed=hashed, advance=advance
        )
        request = HttpRequest(
            url=url, headers=headers or {}, route=route or self.route, login=login
        )
        tries = _Tries(url)
        while True:
            before = transfer.done
            try:
                return self._attempt(request, transfer, tries)
            except Again as failure:
                tries.failed(failure, got=transfer.done - before)
                self._pause(url, failure, transfer, tries)

    def _pause(self, url: str, failure: Again, transfer: Transfer, tries: _Tries) -> None:
        """Wait before the next attempt, or give up."""
        patience = self._patience
        pause = failure.wait or 0.0
        used_up = len(tries.without_progress) >= patience.tries or tries.stalls >= patience.stalls
        if used_up or transfer.restarts >= patience.restarts or pause > patience.retry_after:
            self.servers.doubt(server_of(url))
            if tries.silent:
                silence = Silence(failure.cause, failure.hint)
                self.servers.give_up(tries.silent, silence, failure.behind)
            raise _given_up(url, failure, tries, too_long=pause > patience.retry_after)
        longest = min(patience.first * 2 ** len(tries.without_progress), patience.longest)
        self._sleep(max(pause, longest * (0.5 + self._jitter() / 2)))

    def _attempt(self, request: HttpRequest, transfer: Transfer, tries: _Tries) -> Received:
        headers = {**request.headers, **transfer.request_headers()}
        try:
            with self._sender.open(evolve(request, headers=headers), tries.lines()) as answer:
                return _receive(answer, transfer)
        except Again:
            transfer.cut()
            raise


def _receive(answer: Answer, transfer: Transfer) -> Received:
    if answer.status not in _BODY:
        raise answer.refusal()
    pieces = answer.pieces()
    transfer.begin(answer.status, answer.headers)
    for piece in pieces:
        transfer.take(piece)
    return evolve(transfer.finish(), url=answer.url)


@define
class _Tries:
    """What was tried for one download: why each attempt failed, and how little came of them."""

    url: str
    failures: list[str] = field(factory=list)
    without_progress: list[Again] = field(factory=list)

    def failed(self, failure: Again, *, got: int) -> None:
        self.failures.append(failure.cause)
        if got >= _PROGRESS:
            self.without_progress.clear()
        else:
            self.without_progress.append(failure)

    @property
    def stalls(self) -> int:
        return sum(failure.stalled for failure in self.without_progress)

    @property
    def silent(self) -> str:
        """The server that gave no answer to any try since the last progress; empty for none."""
        servers = {failure.silent for failure in self.without_progress}
        return servers.pop() if len(servers) == 1 else ""

    def lines(self) -> tuple[str, ...]:
        """The last failures; what came several times in a row is one line."""
        lines = []
        for cause, same in groupby(self.failures):
            times = len(list(same))
            lines.append(f"{shown(self.url)}: {f'{times} times: ' if times > 1 else ''}{cause}")
        return tuple(lines[-_LINES:])


def _given_up(url: str, failure: Again, tries: _Tries, *, too_long: bool) -> Unreachable:
    more = f", and asks to wait {failure.wait:.0f} s" if too_long else ""
    msg = f"could not be downloaded: {failure.cause}{more}"
    hint = failure.hint or TRY_AGAIN
    return Unreachable(msg, where=shown(url), hint=hint, details=tries.lines())
