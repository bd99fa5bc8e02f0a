"""The wire under httpx: a pool of connections for each proxy and each set of authorities.

Knows: httpcore's pools. Routes come with each request, as the extension `ROUTE`.
Must not know: what is transferred, retries, credentials of servers.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from rvbuild.transfers.addresses import Route
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.connections import Backend, Stall, Stream, StreamSettings, words
from rvbuild.transfers.proxy_addresses import check_proxy, proxy_name, unusable

ROUTE = "route"
"""The extension of a request that has its `Route`."""
PROXY = "proxy"
"""The extension of an answer that has the proxy that it came by, fit for messages, or nothing."""

_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)


class _Body(httpx.SyncByteStream):
    """The body of an answer; each piece is progress of the connection that it came by."""

    def __init__(self, stream: Any, by: Stream) -> None:  # noqa: ANN401 - untyped in httpcore
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


def _stream_of(answer: httpcore.Response) -> Stream:
    """The connection that an answer comes by: the innermost one, inside of a proxy's."""
    stream = answer.extensions["network_stream"]
    if not isinstance(stream, Stream):  # 101: a protocol that nobody asked for
        answer.close()
        msg = f"the server switches to another protocol ({answer.status})"
        raise httpx.RemoteProtocolError(msg)
    return stream


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.ProxyError as exc:
        raise httpx.ProxyError(words(exc)) from exc
    except _FAULTS as exc:
        raise httpx.TransportError(words(exc)) from exc
    except httpcore.UnsupportedProtocol as exc:
        raise httpx.UnsupportedProtocol(str(exc)) from exc


class Wire(httpx.BaseTransport):
    """Connection pools: one for each proxy and each set of authorities, made when it is needed.

    Certificates are read where something is encrypted.

    Args:
        connections: At most so many at once, for each pool.
        stall: When to give up on a server that trickles.
        clock: Seconds that only grow.
        trust: Gives the context for a file of authorities, and the setting that names it, or for
            the user's own (empty texts).
        cancellation: Ends what waits.
        answered: Called with each proxy that answers (`proxy_name`).
    """

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        *,
        connections: int,
        stall: Stall,
        clock: Callable[[], float],
        trust: Callable[[str, str], ssl.SSLContext],
        cancellation: Cancellation,
        answered: Callable[[str], None],
    ) -> None:
        self._connections = connections
        self._streams = StreamSettings(
            stall=stall, clock=clock, cancellation=cancellation, answered=answered
        )
        self._trust = trust
        self._pools: dict[tuple[str, str, bool], httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def _pool(self, url: httpx.URL, route: Route) -> httpcore.ConnectionPool:
        proxy, named_by = route.proxies.choice(str(url))
        authorities = route.authorities_of(url.host)
        secure = "https" in {url.scheme, proxy.partition(":")[0]}
        key = (proxy, authorities, secure)
        with self._lock:  # reading the trusted certificates is slow
            if key not in self._pools:
                trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody: nothing is encrypted
                if secure:
                    trust = self._trust(authorities, route.authorities_named_by)
                self._pools[key] = self._make_pool(proxy, named_by, trust)
            return self._pools[key]

    def _make_pool(
        self, proxy: str, named_by: str, trust: ssl.SSLContext
    ) -> httpcore.ConnectionPool:
        settings: dict[str, Any] = {
            "ssl_context": trust,
            "max_connections": self._connections,
            "max_keepalive_connections": self._connections,
            "keepalive_expiry": 30.0,
            "network_backend": Backend(self._streams, proxy),
        }
        return _through(proxy, named_by, settings) if proxy else httpcore.ConnectionPool(**settings)

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
        pool = self._pool(request.url, route)
        with _httpx_errors():
            try:
                answer = pool.handle_request(core_request)
            except httpcore.ProxyError:
                self._streams.answered(proxy_name(proxy))
                raise
        self._streams.answered(proxy_name(proxy))
        by = _stream_of(answer)
        by.answered()
        return httpx.Response(
            answer.status,
            request=request,
            headers=answer.headers,
            stream=_Body(answer.stream, by),
            extensions={**answer.extensions, PROXY: proxy_name(proxy)},
        )

    def close(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.close()


def refuse_unusable(proxy: str, named_by: str) -> None:
    """See that one could go by a proxy; nobody is asked.

    Args:
        proxy: With a scheme.
        named_by: The variable or the setting that has it.

    Raises:
        SourceError: it is none that can be used.
    """
    _through(proxy, named_by, {"ssl_context": None}).close()


def _through(proxy: str, named_by: str, settings: dict[str, Any]) -> httpcore.ConnectionPool:
    """The pool of a proxy.

    Raises:
        SourceError: it is none that can be used.
    """
    try:
        check_proxy(proxy, named_by)
        parsed = httpx.Proxy(proxy)
        target, login = str(parsed.url), parsed.raw_auth
        if parsed.url.scheme.startswith("socks"):
            return httpcore.SOCKSProxy(target, proxy_auth=login, **settings)
        if parsed.url.scheme == "https":
            settings["proxy_ssl_context"] = settings["ssl_context"]
        return httpcore.HTTPProxy(target, proxy_auth=login, **settings)
    except (ValueError, RuntimeError, httpx.InvalidURL) as exc:
        raise unusable(proxy, named_by) from exc
