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
from rvbuild.transfers.urls import shown

READ = 1 << 20

_FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)


class Stalled(httpcore.ReadTimeout):
    """Something came all the time, and hardly any of it was body."""


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
        self, inner: httpcore.NetworkStream, stall: Stall, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._stall = stall
        self._clock = clock
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
        data = self._inner.read(max(max_bytes, READ), timeout)
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
    except _FAULTS as exc:
        raise httpx.TransportError(_words(exc)) from exc
    except httpcore.UnsupportedProtocol as exc:
        raise httpx.UnsupportedProtocol(str(exc)) from exc


def _words(exc: Exception) -> str:
    text = str(exc)
    if isinstance(exc, httpcore.TimeoutException):
        return f"timed out ({text})" if text else "timed out"
    return text or type(exc).__name__


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
        settings = getproxies() if proxies is None else proxies
        self._proxies = {k: v for k, v in settings.items() if k in {"http", "https", "all"}}
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
        with _httpx_errors():
            answer = self._pool(request.url).handle_request(core_request)
        by = _stream_of(answer)
        by.answered()
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream, by),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._direct.close()
        for pool in self._through.values():
            pool.close()
