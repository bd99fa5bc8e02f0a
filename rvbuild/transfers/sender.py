"""Requests, and the heads of their answers: the one way on which anything is sent to a server.

Knows: redirects, whose credentials go where, which servers are given up. Must not know: retries,
what is made of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx
from attrs import define, evolve, field, frozen

from rvbuild.core.errors import RvbuildError, SourceError, Unreachable
from rvbuild.core.printable import brief
from rvbuild.transfers.addresses import Route, server_of
from rvbuild.transfers.attempts import TRY_AGAIN
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.deadline import Deadline
from rvbuild.transfers.faults import check_encoding, fault, refusal
from rvbuild.transfers.proxy_addresses import proxy_name
from rvbuild.transfers.servers import Servers
from rvbuild.transfers.transfer import Again
from rvbuild.transfers.urls import Credentials, Origin, origin, shown
from rvbuild.transfers.waits import Waits
from rvbuild.transfers.wire import ROUTE, Wire

MAX_REDIRECTS = 10

_REDIRECTS = {301, 302, 303, 307, 308}
_FOLLOWING = {"GET", "HEAD"}
_HEADERS = {"User-Agent": "rvbuild", "Accept-Encoding": "identity", "Accept": "*/*"}


@frozen(kw_only=True)
class HttpRequest:
    """What is asked of a server.

    Attributes:
        url: ``http`` or ``https``; a user name and password in it are sent to its origin only.
        route: How the server is reached.
        method: A read (GET, HEAD) follows redirects. Others do not: who writes says where.
        headers: Beside the usual ones; sent to every hop: nothing secret.
        login_headers: Who asks, as the server wants to know it; sent to the origin of ``url``
            alone, and no other login beside them.
        body: Gives what is sent, in pieces, each time from its start. ``Content-Length`` has its
            size.
        login: Whether the server may have what the user has for its host, if there are no
            ``login_headers``.
        deadline: Ends the waits; None for the patience of the sender.
    """

    url: str
    route: Route
    method: str = "GET"
    headers: Mapping[str, str] = field(factory=dict)
    login_headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: Callable[[], Iterator[bytes]] | None = None
    login: bool = True
    deadline: Deadline | None = None

    def content(self) -> Iterator[bytes] | None:
        """The body, each piece of which is progress."""
        return None if self.body is None else self._watched(self.body())

    def _watched(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            if self.deadline:
                self.deadline.renew()


class Answer:
    """The head of an answer, and its body as it arrives; close it.

    Args:
        request: What was asked, with the headers that were sent.
        response: As httpx has it.
        credentials: For advice on a refusal.
    """

    def __init__(
        self, request: HttpRequest, response: httpx.Response, credentials: Credentials
    ) -> None:
        self._request = request
        self._response = response
        self._credentials = credentials
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = str(response.url)
        """Where it came from in the end, without a user name."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; if the body did not end, hang up."""
        self._response.close()

    def pieces(self) -> Iterator[bytes]:
        """The body.

        Raises:
            SourceError: at once: it is encoded, though nobody asked for that.
            Again: it stopped in the middle.
        """
        check_encoding(self._request.url, self._response)
        return self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        deadline = self._request.deadline
        try:
            for piece in self._response.iter_raw():
                yield piece
                if deadline:  # what the reader did meanwhile is not the server's time
                    deadline.renew()
        except httpx.TransportError as exc:
            raise fault(self._request.url, exc, self._request.route) from exc

    def refusal(self) -> RvbuildError | Again:
        """What its status means, which gives no usable body."""
        return refusal(self._request.url, self._response, self._credentials)


@define(kw_only=True)
class Sender:
    """Sends requests.

    Rules:

    1. A login is sent to the origin of the URL that is asked for, with the first request, and no
       more once a redirect led elsewhere.
    2. A redirect from https leads to https only.
    3. A server, and a proxy, that was given up is not asked (`Servers`).

    Attributes:
        wire: The connections.
        credentials: By host.
        cancellation: Ends what waits.
        servers: Those that gave no answer in this run.
        waits: Says for whom a request without a deadline waits.
        timeouts: Those of a request without a deadline.
        most: Seconds after which such a request is given up, with all tries.
    """

    wire: Wire
    credentials: Credentials
    cancellation: Cancellation
    servers: Servers
    waits: Waits
    timeouts: httpx.Timeout
    most: float

    def open(self, request: HttpRequest, tried: tuple[str, ...] = ()) -> Answer:
        """The head of the answer, after redirects.

        Args:
            request: What is asked.
            tried: What came of earlier tries, for an error's details.

        Raises:
            Again: there was none.
            Unreachable: the server was given up.
            SourceError: a redirect leads where none may.
            Interrupted: the run was cancelled.
        """
        url = here = request.url
        home = origin(url)
        is_named = bool(request.login_headers)
        login = self.credentials.for_url(url) if request.login and not is_named else None
        for _hop in range(MAX_REDIRECTS + 1):
            if origin(here) != home:  # nor afterwards: another one chose what is asked then
                request, login = evolve(request, login_headers={}), None
            hop = evolve(request, url=here)
            self._refuse_given_up(hop, tried)
            response = self._send(hop, login)
            if not _is_redirect(request, response):
                return Answer(request, response, self.credentials)
            response.close()
            here = _redirected(url, here, response.headers["location"], home)
        msg = f"more than {MAX_REDIRECTS} redirects"
        raise SourceError(msg, where=shown(url), details=(f"the last one was to {shown(here)}",))

    def _refuse_given_up(self, request: HttpRequest, tried: tuple[str, ...]) -> None:
        """See that neither the server nor the proxy before it was given up."""
        self.cancellation.refuse()
        url = request.url
        proxy = proxy_name(request.route.proxies.of(url))
        if silence := self.servers.refusal(server_of(url), proxy):
            hint = silence.hint or TRY_AGAIN
            raise Unreachable(silence.again, where=shown(url), hint=hint, details=tried)

    def _send(self, request: HttpRequest, login: tuple[str, str] | None) -> httpx.Response:
        """The head of one answer. httpx' own client is not asked: it looks into redirects."""
        url, server = request.url, server_of(request.url)
        proxy = proxy_name(request.route.proxies.of(url))
        asked = self._as_httpx(request, login)
        waits = nullcontext() if request.deadline else self.waits.of(server, proxy, most=self.most)
        try:
            with waits:
                response = self.wire.handle_request(asked)
        except httpx.TransportError as exc:
            raise fault(url, exc, request.route, silent=True) from exc
        self.servers.answered(server)
        return response

    def _as_httpx(self, request: HttpRequest, login: tuple[str, str] | None) -> httpx.Request:
        parts = urlsplit(request.url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        try:
            asked = httpx.Request(
                request.method,
                bare,
                headers={**_HEADERS, **request.headers, **request.login_headers},
                content=request.content(),
                extensions={ROUTE: request.route, "timeout": self._timeouts(request)},
            )
        except httpx.InvalidURL as exc:
            msg = "not a valid URL"
            raise SourceError(msg, where=shown(request.url)) from exc
        return next(httpx.BasicAuth(*login).auth_flow(asked)) if login else asked

    def _timeouts(self, request: HttpRequest) -> dict[str, Any]:
        """Nobody's patience ends while other requests have all connections."""
        if request.deadline is None:
            return self.timeouts.as_dict()
        return {**dict.fromkeys(("connect", "read", "write"), request.deadline), "pool": None}


def _is_redirect(request: HttpRequest, response: httpx.Response) -> bool:
    is_followed = request.method in _FOLLOWING and response.status_code in _REDIRECTS
    return is_followed and "location" in response.headers


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
