"""The wire under httpx: large reads, a deadline for those who trickle, and an end when it is told.

Knows: sockets, connection pools. Routes come with each request, as the extension `ROUTE`.
Must not know: what is transferred, retries, credentials of servers.

httpx reads 64 KiB (over TLS 16 KiB) at a time, and its cost is per read: a gibibyte from
this machine took 4 times as long as with the reads of one mebibyte that are made here.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
import httpx
from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.urls import shown

READ = 1 << 20
ROUTE = "route"
"""The extension of a request that has its `Route`."""
PROXY = "proxy"
"""The extension of an answer that has the proxy that it came by, fit for messages, or nothing."""

_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)
_LATE = httpcore.ReadTimeout
_TLS_PROXY = "the proxy https://"


class Stalled(httpcore.ReadTimeout):
    """Something came all the time, and hardly any of it was body."""


class NoProxy(httpcore.ConnectError):
    """A proxy, ``proxy`` for messages, cannot be connected to, or its TLS fails."""

    def __init__(self, proxy: str, cause: Exception) -> None:
        super().__init__(f"{proxy}: {_words(cause)}")
        self.proxy = proxy


@frozen(kw_only=True)
class Stall:
    """When a server that talks is given up. Only what is delivered of a body is progress.

    Attributes:
        seconds: So long may be waited for ``least`` bytes of the body, or for the rest of a
            head that has begun.
        least: See ``seconds``.
        beside: So many bytes may come that are no body: heads, interim answers, sizes and
            extensions of chunks, trailers;
        overhead: and so many more with each byte of the body. A chunk of one byte has five.
    """

    seconds: float = 30.0
    least: int = 4096
    beside: int = 64 << 10
    overhead: int = 8


class _Stream(httpcore.NetworkStream):
    """A connection that reads as much as is there, and watches what comes of it.

    A server can send for ever what is no answer, as fast as it likes or as slowly:
    ``100 Continue``, extensions of chunks. So two things are watched for each request: the
    time that was waited for the body, and the bytes that became no body. How long a server
    may think before it says anything is not the matter of this class: one read has its timeout.
    """

    def __init__(
        self,
        inner: httpcore.NetworkStream,
        stall: Stall,
        clock: Callable[[], float],
        cancellation: Cancellation,
        tls_proxy: str = "",
    ) -> None:
        self._inner = inner
        self._stall = stall
        self._clock = clock
        self._cancellation = cancellation
        self._tls_proxy = tls_proxy
        self._asked()

    def _asked(self) -> None:
        """A new request."""
        self._came = 0
        self._body = 0
        self._next_window()

    def _next_window(self) -> None:
        self._waited = 0.0
        self._body_before = self._body

    def answered(self) -> None:
        """The head of an answer has come (once a request): the time of its body starts now."""
        self._next_window()

    def delivered(self, count: int) -> None:
        """So many bytes of the body were taken."""
        self._body += count

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Whatever is there, up to ``READ`` bytes: ``max_bytes`` is only httpcore's habit."""
        self._check_volume()
        began = self._clock()
        data = self._cancellation.slices(
            timeout, lambda seconds: self._inner.read(max(max_bytes, READ), seconds), _LATE
        )
        sock = self._inner.get_extra_info("socket")
        if data and isinstance(sock, ssl.SSLSocket):
            data = _drained(sock, data)
        if self._came:  # before the first bytes, the server only thinks
            self._waited += self._clock() - began
        self._came += len(data)
        self._check_time()
        return data

    def _check_volume(self) -> None:
        """Refuse a server that sends far more beside the body than belongs there.

        httpcore reads on when it has used up all earlier bytes, so every byte of the body that
        has come is counted by now.
        """
        beside = self._came - self._body
        if beside > self._stall.beside + self._stall.overhead * self._body:
            msg = f"{beside} bytes came that are no part of the body"
            raise httpcore.RemoteProtocolError(msg)

    def _check_time(self) -> None:
        if self._waited < self._stall.seconds:
            return
        progress = self._body - self._body_before
        if progress < self._stall.least:
            msg = f"only {progress} bytes in {self._waited:.0f} s"
            raise Stalled(msg)
        self._next_window()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked()
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        start = partial(self._inner.start_tls, ssl_context, server_hostname, timeout)
        try:
            inner = self._cancellation.run(start)
        except httpcore.ConnectError as exc:
            if self._tls_proxy:
                raise NoProxy(self._tls_proxy, exc) from exc
            raise
        return _Stream(inner, self._stall, self._clock, self._cancellation)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own signature
        return self._inner.get_extra_info(info)


def _drained(tls: ssl.SSLSocket, first: bytes) -> bytes:
    """``first`` and what else has arrived: TLS gives one record of 16 KiB at a time."""
    parts = [first]
    size = len(first)
    tls.settimeout(0)
    try:
        while size < READ and (data := tls.recv(READ)):
            parts.append(data)
            size += len(data)
    except ssl.SSLWantReadError:
        pass  # nothing more has arrived
    except OSError as exc:
        raise httpcore.ReadError(str(exc)) from exc
    return b"".join(parts) if len(parts) > 1 else first


class _Backend(httpcore.NetworkBackend):
    """Connects as httpcore does, and hands out our streams.

    With a ``proxy``, for messages, each connection is one to it.
    """

    def __init__(
        self, stall: Stall, clock: Callable[[], float], cancellation: Cancellation, proxy: str
    ) -> None:
        self._inner = httpcore.SyncBackend()
        self._stall = stall
        self._clock = clock
        self._cancellation = cancellation
        self._proxy = proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        connect = partial(
            self._inner.connect_tcp, host, port, timeout, local_address, socket_options
        )
        try:
            stream = self._cancellation.run(connect)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
            if self._proxy:
                raise NoProxy(self._proxy, exc) from exc
            raise
        tls_proxy = self._proxy if self._proxy.startswith(_TLS_PROXY) else ""
        return _Stream(stream, self._stall, self._clock, self._cancellation, tls_proxy)


class _Body(httpx.SyncByteStream):
    """The body of an answer; each piece is progress of the connection that it came by."""

    def __init__(self, stream: Any, by: _Stream) -> None:  # noqa: ANN401 - untyped in httpcore
        self._stream = stream
        self._by = by

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            for piece in self._stream:
                self._by.delivered(len(piece))
                yield piece

    def close(self) -> None:
        with _httpx_errors():
            self._stream.close()


def _stream_of(answer: httpcore.Response) -> _Stream:
    """The connection that an answer comes by: the innermost one, inside of a proxy's."""
    stream = answer.extensions["network_stream"]
    if not isinstance(stream, _Stream):  # 101: a protocol that nobody asked for
        answer.close()
        msg = f"the server switches to another protocol ({answer.status})"
        raise httpx.RemoteProtocolError(msg)
    return stream


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.ProxyError as exc:
        raise httpx.ProxyError(_words(exc)) from exc
    except _FAULTS as exc:
        raise httpx.TransportError(_words(exc)) from exc
    except httpcore.UnsupportedProtocol as exc:
        raise httpx.UnsupportedProtocol(str(exc)) from exc


def _words(exc: Exception) -> str:
    text = str(exc)
    if isinstance(exc, httpcore.TimeoutException):
        return f"timed out ({text})" if text not in {"", "timed out"} else "timed out"
    return text or type(exc).__name__


class Wire(httpx.BaseTransport):
    """Connection pools: one for each proxy and each set of authorities, made when it is needed.

    Args:
        connections: At most so many at once, for each pool.
        stall: When to give up on a server that trickles.
        clock: Seconds that only grow.
        trust: Gives the context for a file of authorities, or for the user's own (an empty text).
        cancellation: Ends what waits.
    """

    def __init__(
        self,
        *,
        connections: int,
        stall: Stall,
        clock: Callable[[], float],
        trust: Callable[[str], ssl.SSLContext],
        cancellation: Cancellation,
    ) -> None:
        self._connections = connections
        self._stall = stall
        self._clock = clock
        self._trust = trust
        self._cancellation = cancellation
        self._pools: dict[tuple[str, str], httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def _pool(self, proxy: str, route: Route, authorities: str) -> httpcore.ConnectionPool:
        key = (proxy, authorities)
        with self._lock:  # reading the trusted certificates is slow
            if key not in self._pools:
                self._pools[key] = self._made(proxy, route, authorities)
            return self._pools[key]

    def _made(self, proxy: str, route: Route, authorities: str) -> httpcore.ConnectionPool:
        settings: dict[str, Any] = {
            "ssl_context": self._trust(authorities),
            "max_connections": self._connections,
            "max_keepalive_connections": self._connections,
            "keepalive_expiry": 30.0,
            "network_backend": _Backend(
                self._stall, self._clock, self._cancellation, proxy_name(proxy)
            ),
        }
        return _through(proxy, route, settings) if proxy else httpcore.ConnectionPool(**settings)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        core_request = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        route: Route = request.extensions[ROUTE]
        proxy = route.proxies.of(str(request.url))
        pool = self._pool(proxy, route, route.authorities_of(request.url.host))
        with _httpx_errors():
            answer = pool.handle_request(core_request)
        by = _stream_of(answer)
        by.answered()
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream, by),
            extensions={**answer.extensions, PROXY: proxy_name(proxy)},
        )

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def proxy_name(url: str) -> str:
    """A proxy for messages, and for `Servers`; nothing for none.

    A password may have any letter in it, also those that end a host, if nobody escaped it.
    """
    scheme, _, rest = url.partition("://")
    bare = f"{scheme}://{rest.rpartition('@')[2]}"
    return f"the proxy {shown(bare)}" if url else ""


def _through(proxy: str, route: Route, settings: dict[str, Any]) -> httpcore.ConnectionPool:
    """The pool of a proxy.

    Raises:
        SourceError: it is none that can be used.
    """
    try:
        there = httpx.Proxy(proxy)
        target, login = str(there.url), there.raw_auth
        if "@" in proxy and login is None:
            msg = "the host ends before the @: in a password, / ? and # are written %2F, %3F, %23"
            raise ValueError(msg)  # noqa: TRY301 - as httpx refuses what it reads otherwise
        if there.url.scheme.startswith("socks"):
            return httpcore.SOCKSProxy(target, proxy_auth=login, **settings)
        return httpcore.HTTPProxy(target, proxy_auth=login, **settings)
    except (ValueError, RuntimeError, httpx.InvalidURL) as exc:
        msg = f"{route.proxies.named_by}: a proxy that cannot be used"
        hint = (
            "correct its address: http://HOST:PORT, with USER:PASSWORD@ before the host if it wants"
            " one, whose special letters are %XX (socks5:// needs the package socksio)"
        )
        raise SourceError(msg, where=proxy_name(proxy), hint=hint) from exc
