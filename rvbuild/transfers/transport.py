"""Bytes over HTTP: the one client that every fetcher uses.

Knows: retries, redirects, deadlines, whose credentials go where, and which servers are given up.
Must not know: what the bytes are; callers verify them.
"""

from __future__ import annotations

import io
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
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
from rvbuild.transfers.faults import check_encoding, fault, refusal
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.servers import Servers
from rvbuild.transfers.transfer import Again, Received, Transfer
from rvbuild.transfers.urls import Credentials, Origin, origin, shown
from rvbuild.transfers.wire import ROUTE, Stall, Wire, proxy_name

DOCUMENT_LIMIT = 64 << 20
DOWNLOAD_LIMIT = 16 << 30
MAX_REDIRECTS = 10

_REDIRECTS = {301, 302, 303, 307, 308}
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


class Transport:
    """A thread-safe HTTP client; use one for everything, and close it.

    Args:
        connections: At most so many at once.
        patience: How long to try.
        environment: The user's: proxies, authorities, netrc.
        credentials: By host; by default those of netrc.
        cancellation: Ends what waits; nobody's by default.
        sleep, clock, jitter: The world's, or a test's. ``jitter`` gives a number in [0, 1).

    Attributes:
        offline: Whether it refuses every URL, because ``--offline`` forbids the network.
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
        self._trust = partial(authorities, environment)
        self._sleep = sleep or self._cancellation.pause
        self.servers = Servers(clock)
        self._jitter = jitter
        self._connections = connections
        self._clock = clock
        self._starting = threading.Lock()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        with self._starting:
            if self._client is not None:
                self._client.close()

    def _started(self) -> httpx.Client:
        """The client, made when it is first needed."""
        with self._starting:
            if self._client is None:
                self._client = self._start()
            return self._client

    def _start(self) -> httpx.Client:
        patience = self._patience
        return httpx.Client(
            transport=Wire(
                connections=self._connections,
                stall=patience.stall,
                clock=self._clock,
                trust=self._trust,
                cancellation=self._cancellation,
            ),
            timeout=httpx.Timeout(patience.read, connect=patience.connect, pool=None),
            headers={"User-Agent": "rvbuild", "Accept-Encoding": "identity", "Accept": "*/*"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

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
            advance: Told of every piece.

        Raises:
            NotThere: 404 or 410.
            Unreachable: every attempt failed, or the server was given up before; ``details`` has
                what it answered.
            SourceError: it refused.
            Interrupted: nobody wants it any more.
            VerificationError: the size is not ``expect_size``.
            StoreError: ``to`` cannot be written.
        """
        transfer = Transfer(
            url, to, expect_size=expect_size, limit=limit, hashed=hashed, advance=advance
        )
        attempts = _Tries()
        while True:
            self._refuse_given_up(url, route or self._route, attempts)
            before = transfer.done
            try:
                return self._attempt(url, transfer, headers or {}, route or self._route)
            except Again as failure:
                attempts.failed(failure, got=transfer.done - before)
                self._pause(url, failure, transfer, attempts)

    def _refuse_given_up(self, url: str, route: Route, attempts: _Tries) -> None:
        """See that neither the server nor the proxy before it was given up."""
        self._cancellation.refuse()
        proxy = route.proxies.of(url)
        for server in (proxy_name(proxy), server_of(url)):
            cause = self.servers.cause(server)
            if cause:
                msg = f"not asked again: {cause}"
                raise Unreachable(
                    msg, where=shown(url), hint=TRY_AGAIN, details=attempts.lines(url)
                )

    def _pause(self, url: str, failure: Again, transfer: Transfer, attempts: _Tries) -> None:
        """Wait before the next attempt, or give up."""
        patience = self._patience
        pause = failure.wait or 0.0
        tries_used_up = (
            attempts.without_progress >= patience.tries or attempts.stalls >= patience.stalls
        )
        if tries_used_up or transfer.restarts >= patience.restarts or pause > patience.retry_after:
            self.servers.doubt(server_of(url))
            if failure.silent:
                self.servers.give_up(failure.silent, failure.cause)
            raise _given_up(url, failure, attempts, too_long=pause > patience.retry_after)
        longest = min(patience.first * 2**attempts.without_progress, patience.longest)
        self._sleep(max(pause, longest * (0.5 + self._jitter() / 2)))

    def _attempt(
        self, url: str, transfer: Transfer, headers: Mapping[str, str], route: Route
    ) -> Received:
        try:
            return self._receive(url, transfer, {**headers, **transfer.request_headers()}, route)
        except Again:
            transfer.cut()
            raise
        except httpx.InvalidURL as exc:
            msg = "not a valid URL"
            raise SourceError(msg, where=shown(url)) from exc

    def _receive(
        self, url: str, transfer: Transfer, headers: Mapping[str, str], route: Route
    ) -> Received:
        response = self._open(url, headers, route)
        try:
            if response.status_code not in _BODY:
                raise refusal(url, response, self._credentials)
            check_encoding(url, response)
            transfer.begin(response.status_code, response.headers)
            for piece in response.iter_raw():
                transfer.take(piece)
            return evolve(transfer.finish(), url=str(response.url))
        except httpx.TransportError as exc:
            raise fault(url, exc, route) from exc
        finally:
            response.close()

    def _open(self, url: str, headers: Mapping[str, str], route: Route) -> httpx.Response:
        """The head of the answer, after redirects."""
        home = origin(url)
        login = self._credentials.for_url(url)
        here = url
        for _hop in range(MAX_REDIRECTS + 1):
            response = self._send(here, headers, login if origin(here) == home else None, route)
            self.servers.answered(server_of(here))
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            response.close()
            here = _redirected(url, here, response.headers["location"], home)
        msg = f"more than {MAX_REDIRECTS} redirects"
        raise SourceError(msg, where=shown(url), details=(f"the last one was to {shown(here)}",))

    def _send(
        self, url: str, headers: Mapping[str, str], login: tuple[str, str] | None, route: Route
    ) -> httpx.Response:
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        client = self._started()
        request = client.build_request(
            "GET", bare, headers=dict(headers), extensions={ROUTE: route}
        )
        auth = httpx.BasicAuth(*login) if login else None
        try:
            return client.send(request, auth=auth, stream=True, follow_redirects=False)
        except httpx.TransportError as exc:
            raise fault(url, exc, route, silent=True) from exc


@define
class _Tries:
    """What was tried for one download: why each attempt failed, and how little came of them."""

    failures: list[str] = field(factory=list)
    without_progress: int = 0
    stalls: int = 0

    def failed(self, failure: Again, *, got: int) -> None:
        self.failures.append(failure.cause)
        if got >= _PROGRESS:
            self.without_progress = self.stalls = 0
            return
        self.without_progress += 1
        self.stalls += failure.stalled

    def lines(self, url: str) -> tuple[str, ...]:
        """The last failures; what came several times in a row is one line."""
        lines = []
        for cause, same in groupby(self.failures):
            times = len(list(same))
            lines.append(f"{shown(url)}: {f'{times} times: ' if times > 1 else ''}{cause}")
        return tuple(lines[-_LINES:])


def _given_up(url: str, failure: Again, tries: _Tries, *, too_long: bool) -> Unreachable:
    more = f", and asks to wait {failure.wait:.0f} s" if too_long else ""
    msg = f"could not be downloaded: {failure.cause}{more}"
    hint = failure.hint or TRY_AGAIN
    return Unreachable(msg, where=shown(url), hint=hint, details=tries.lines(url))


def _redirected(url: str, here: str, location: str, home: Origin) -> str:
    """Where a redirect leads.

    Raises:
        SourceError: to something that is not HTTP, or from https to http.
    """
    try:
        there = urljoin(here, location)
        scheme = origin(there)[0]
    except (SourceError, ValueError) as exc:
        msg = f"redirected to {brief(shown(location))}, which is no http or https URL"
        raise SourceError(msg, where=shown(url)) from exc
    if home[0] == "https" and scheme != "https":
        msg = f"redirected from https to plain http ({shown(there)}): refused"
        raise SourceError(msg, where=shown(url))
    return there
