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
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx
from attrs import define, evolve, field, frozen

from rvbuild.core.errors import SourceError, Unreachable
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.printable import brief
from rvbuild.transfers.addresses import Route, server_of
from rvbuild.transfers.attempts import TRY_AGAIN
from rvbuild.transfers.authorities import authorities
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.faults import check_encoding, fault, refusal
from rvbuild.transfers.local_files import LocalFiles
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.proxy_addresses import proxy_name
from rvbuild.transfers.servers import Servers, Silence
from rvbuild.transfers.transfer import (
    DOCUMENT_LIMIT,
    DOWNLOAD_LIMIT,
    Again,
    Received,
    Transfer,
)
from rvbuild.transfers.urls import Credentials, Origin, origin, shown
from rvbuild.transfers.waits import Waits
from rvbuild.transfers.wire import ROUTE, Wire

MAX_REDIRECTS = 10

_REDIRECTS = {301, 302, 303, 307, 308}
_BODY = {200, 206, 416}
_PROGRESS = 64 << 10
_LINES = 8
_HEADERS = {"User-Agent": "rvbuild", "Accept-Encoding": "identity", "Accept": "*/*"}


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
    def most(self) -> float:
        """Seconds after which a server that gives no answer at all is given up."""
        pauses = (min(self.first * 2.0**count, self.longest) for count in range(1, self.tries))
        return self.tries * (self.connect + self.read) + sum(pauses)


@frozen
class _Request:
    """What is asked for: with which headers beside the usual ones, and on which way."""

    url: str
    headers: Mapping[str, str]
    route: Route
    login: bool = True


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
        self._credentials = (
            Credentials.from_netrc(environment) if credentials is None else credentials
        )
        self._cancellation = cancellation or Cancellation()
        self._route = Route(proxies=Proxies.of_environment(environment))
        self._waits = waits or Waits()
        self._sleep = sleep or self._cancellation.pause
        self.local = LocalFiles(self._cancellation)
        self.servers = Servers(clock)
        self._jitter = jitter
        self._wire = Wire(
            connections=connections,
            stall=self._patience.stall,
            clock=clock,
            trust=partial(authorities, environment),
            cancellation=self._cancellation,
            answered=self.servers.answered,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open."""
        self._wire.close()

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
        request = _Request(url, headers or {}, route or self._route, login)
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

    def _attempt(self, request: _Request, transfer: Transfer, tries: _Tries) -> Received:
        headers = {**request.headers, **transfer.request_headers()}
        try:
            return self._receive(evolve(request, headers=headers), transfer, tries)
        except Again:
            transfer.cut()
            raise
        except httpx.InvalidURL as exc:
            msg = "not a valid URL"
            raise SourceError(msg, where=shown(request.url)) from exc

    def _receive(self, request: _Request, transfer: Transfer, tries: _Tries) -> Received:
        url = request.url
        response = self._open(request, tries)
        try:
            if response.status_code not in _BODY:
                raise refusal(url, response, self._credentials)
            check_encoding(url, response)
            transfer.begin(response.status_code, response.headers)
            for piece in response.iter_raw():
                transfer.take(piece)
            return evolve(transfer.finish(), url=str(response.url))
        except httpx.TransportError as exc:
            raise fault(url, exc, request.route) from exc
        finally:
            response.close()

    def _open(self, request: _Request, tries: _Tries) -> httpx.Response:
        """The head of the answer, after redirects."""
        url = here = request.url
        home = origin(url)
        login = self._credentials.for_url(url) if request.login else None
        for _hop in range(MAX_REDIRECTS + 1):
            hop = evolve(request, url=here)
            self._refuse_given_up(hop, tries)
            response = self._send(hop, login if origin(here) == home else None)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            response.close()
            here = _redirected(url, here, response.headers["location"], home)
        msg = f"more than {MAX_REDIRECTS} redirects"
        raise SourceError(msg, where=shown(url), details=(f"the last one was to {shown(here)}",))

    def _refuse_given_up(self, request: _Request, tries: _Tries) -> None:
        """See that neither the server nor the proxy before it was given up."""
        self._cancellation.refuse()
        url = request.url
        proxy = proxy_name(request.route.proxies.of(url))
        if silence := self.servers.refusal(server_of(url), proxy):
            hint = silence.hint or TRY_AGAIN
            raise Unreachable(silence.again, where=shown(url), hint=hint, details=tries.lines())

    def _send(self, request: _Request, login: tuple[str, str] | None) -> httpx.Response:
        """The head of one answer. httpx' own client is not asked: it looks into redirects."""
        url, patience = request.url, self._patience
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        timeouts = httpx.Timeout(patience.read, connect=patience.connect, pool=None)
        asked = httpx.Request(
            "GET",
            bare,
            headers={**_HEADERS, **request.headers},
            extensions={ROUTE: request.route, "timeout": timeouts.as_dict()},
        )
        if login:
            asked = next(httpx.BasicAuth(*login).auth_flow(asked))
        proxy = proxy_name(request.route.proxies.of(url))
        try:
            with self._waits.of(server_of(url), proxy, most=patience.most):
                response = self._wire.handle_request(asked)
        except httpx.TransportError as exc:
            raise fault(url, exc, request.route, silent=True) from exc
        self.servers.answered(server_of(url))
        return response


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


def _redirected(url: str, here: str, location: str, home: Origin) -> str:
    """Where a redirect leads, as this client reads it.

    Raises:
        SourceError: to something that is not HTTP, or from https to http.
    """
    try:
        there = urljoin(here, location)
        scheme = origin(there)[0]
    except (SourceError, ValueError) as exc:
        why = exc.message if isinstance(exc, SourceError) else "not a valid URL"
        msg = f"redirected to {brief(shown(location))}: {why}"
        raise SourceError(msg, where=shown(url)) from exc
    if home[0] == "https" and scheme != "https":
        msg = f"redirected from https to plain http ({shown(there)}): refused"
        raise SourceError(msg, where=shown(url))
    return there
