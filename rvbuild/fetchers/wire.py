"""The wire under httpx: large reads, and a deadline for those who trickle.

Knows: sockets, connection pools, the proxies of the environment.
Must not know: what is transferred, retries, credentials of servers.

httpx reads 64 KiB (over TLS 16 KiB) at a time, and its cost is per read: a gibibyte from
this machine took 4 times as long as with the reads of one mebibyte that are made here.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.fetchers.urls import shown

READ = 1 << 20

_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)


@frozen(kw_only=True)
class Stall:
    """Fewer than ``least`` bytes within ``seconds`` of waiting: the transfer is given up."""

    seconds: float = 60.0
    least: int = 4096


class _Stream(httpcore.NetworkStream):
    """A connection that reads as much as is there, and watches how much that is."""

    def __init__(
        self, inner: httpcore.NetworkStream, stall: Stall, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._stall = stall
        self._clock = clock
        self._waited = 0.0
        self._got = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Whatever is there, up to ``READ`` bytes: ``max_bytes`` is only httpcore's habit."""
        began = self._clock()
        data = self._inner.read(max(max_bytes, READ), timeout)
        sock = self._inner.get_extra_info("socket")
        if data and isinstance(sock, ssl.SSLSocket):
            data = _drained(sock, data)
        self._watch(self._clock() - began, len(data))
        return data

    def _watch(self, waited: float, got: int) -> None:
        self._waited += waited
        self._got += got
        if self._waited < self._stall.seconds:
            return
        if self._got < self._stall.least:
            msg = f"only {self._got} bytes in {self._waited:.0f} s"
            raise httpcore.ReadTimeout(msg)
        self._waited, self._got = 0.0, 0

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._waited, self._got = 0.0, 0  # a new request
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(inner, self._stall, self._clock)

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
    """Connects as httpcore does, and hands out our streams."""

    def __init__(self, stall: Stall, clock: Callable[[], float]) -> None:
        self._inner = httpcore.SyncBackend()
        self._stall = stall
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._stall, self._clock)


def _trusted() -> ssl.SSLContext:
    """The authorities that SSL_CERT_FILE or SSL_CERT_DIR name, else certifi's."""
    try:
        return httpx.create_ssl_context()
    except OSError as exc:  # ssl.SSLError is one
        msg = f"cannot read the trusted certificates: {exc.strerror or exc}"
        raise SourceError(msg, where="SSL_CERT_FILE", hint="correct or unset it") from exc


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - httpcore leaves it untyped
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _told_by_httpx():
            yield from self._stream

    def close(self) -> None:
        with _told_by_httpx():
            self._stream.close()


@contextmanager
def _told_by_httpx() -> Iterator[None]:
    try:
        yield
    except _FAULTS as exc:
        raise httpx.TransportError(_words(exc)) from exc
    except httpcore.UnsupportedProtocol as exc:
        raise httpx.UnsupportedProtocol(str(exc)) from exc


def _words(exc: Exception) -> str:
    said = str(exc)
    if isinstance(exc, httpcore.TimeoutException):
        return f"timed out ({said})" if said else "timed out"
    return said or type(exc).__name__


class Wire(httpx.BaseTransport):
    """Connection pools, one for each proxy of the environment and one without.

    Args:
        connections: At most so many at once, for each pool.
        stall: When to give up on a server that trickles.
        clock: Seconds that only grow.
        proxies: Proxy URL by scheme (``http``, ``https``, ``all``); by default the environment's.

    Raises:
        SourceError: a proxy or the trusted certificates cannot be used.
    """

    def __init__(
        self,
        *,
        connections: int,
        stall: Stall,
        clock: Callable[[], float],
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        found = getproxies() if proxies is None else proxies
        self._proxies = {k: v for k, v in found.items() if k in {"http", "https", "all"}}
        self._settings: dict[str, Any] = {
            "ssl_context": _trusted(),
            "max_connections": connections,
            "max_keepalive_connections": connections,
            "keepalive_expiry": 30.0,
            "network_backend": _Backend(stall, clock),
        }
        self._direct = httpcore.ConnectionPool(**self._settings)
        self._through = {url: self._proxy_pool(url) for url in set(self._proxies.values())}

    def _proxy_pool(self, url: str) -> httpcore.ConnectionPool:
        try:
            proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
            target, login = str(proxy.url), proxy.raw_auth
            if proxy.url.scheme.startswith("socks"):
                return httpcore.SOCKSProxy(target, proxy_auth=login, **self._settings)
            return httpcore.HTTPProxy(target, proxy_auth=login, **self._settings)
        except (ValueError, RuntimeError, httpx.InvalidURL) as exc:
            msg = "the environment names a proxy that cannot be used"
            hint = "correct http_proxy, https_proxy or all_proxy (socks needs the socksio package)"
            raise SourceError(msg, where=shown(url), hint=hint) from exc

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if proxy is None or proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
            return self._direct
        return self._through[proxy]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = httpcore.Request(
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
        with _told_by_httpx():
            answer = self._pool(request.url).handle_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._direct.close()
        for pool in self._through.values():
            pool.close()
