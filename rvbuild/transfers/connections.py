"""Connections: what comes by one is watched, and who is at its other end is known.

Knows: sockets, and whether a server or a proxy speaks. Must not know: pools, HTTP.

httpx reads 64 KiB (over TLS 16 KiB) at a time, and its cost is per read: a gibibyte from
this machine took 4 times as long as with the reads of one mebibyte that are made here.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
from attrs import frozen

from rvbuild.transfers.cancellation import Cancellation, TooLate
from rvbuild.transfers.deadline import Deadline, seconds_left
from rvbuild.transfers.proxy_addresses import proxy_name

READ = 1 << 20
_LATE = httpcore.ReadTimeout
_HUNG_UP = "it hung up without an answer"


class Stalled(httpcore.ReadTimeout):
    """Something came all the time, and hardly any of it was body."""


class NoProxy(httpcore.ConnectError):
    """A proxy, ``proxy`` for messages, cannot be connected to, or its TLS fails."""

    def __init__(self, proxy: str, cause: Exception) -> None:
        super().__init__(f"{proxy}: {words(cause)}")
        self.proxy = proxy


class SilentProxy(httpcore.ReadError):
    """A proxy was asked, and ended or outlasted the wait without a word."""


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


@frozen(kw_only=True)
class StreamSettings:
    """What all connections of a `Wire` have in common; see there."""

    stall: Stall
    clock: Callable[[], float]
    cancellation: Cancellation
    answered: Callable[[str], None]


class Stream(httpcore.NetworkStream):
    """A connection that reads as much as is there, and watches what comes of it.

    A server can send for ever what is no answer, as fast as it likes or as slowly:
    ``100 Continue``, extensions of chunks. So two things are watched for each request: the
    time that was waited for the body, and the bytes that became no body. How long a server
    may think before it says anything is not the matter of this class: one read has its timeout.

    Args:
        inner: As httpcore has it.
        settings: See there.
        proxy: The proxy at the other end, for messages; empty for a server.
        tls: Whether TLS with the proxy is still to begin.
    """

    def __init__(
        self,
        inner: httpcore.NetworkStream,
        settings: StreamSettings,
        proxy: str = "",
        *,
        tls: bool = False,
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._proxy = proxy
        self._tls = tls
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
        began = self._settings.clock()
        data = self._receive(max(max_bytes, READ), timeout)
        sock = self._inner.get_extra_info("socket")
        if data and isinstance(sock, ssl.SSLSocket):
            data = _drained(sock, data)
        if self._came:  # before the first bytes, the server only thinks
            self._waited += self._settings.clock() - began
        self._came += len(data)
        self._check_time()
        return data

    def _receive(self, max_bytes: int, timeout: float | None) -> bytes:
        silent = self._proxy and not self._came
        try:
            data = self._settings.cancellation.slices(
                seconds_left(timeout), lambda seconds: self._inner.read(max_bytes, seconds), _LATE
            )
        except (httpcore.ReadTimeout, httpcore.ReadError) as exc:
            if silent:
                raise SilentProxy(words(exc)) from exc
            raise
        if silent and not data:
            raise SilentProxy(_HUNG_UP)
        return data

    def _check_volume(self) -> None:
        """Refuse a server that sends far more beside the body than belongs there.

        httpcore reads on when it has used up all earlier bytes, so every byte of the body that
        has come is counted by now.
        """
        beside = self._came - self._body
        if beside > self._settings.stall.beside + self._settings.stall.overhead * self._body:
            msg = f"{beside} bytes came that are no part of the body"
            raise httpcore.RemoteProtocolError(msg)

    def _check_time(self) -> None:
        if self._waited < self._settings.stall.seconds:
            return
        progress = self._body - self._body_before
        if progress < self._settings.stall.least:
            msg = f"only {progress} bytes in {self._waited:.0f} s"
            raise Stalled(msg)
        self._next_window()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked()
        self._inner.write(buffer, seconds_left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = seconds_left(timeout)
        start = partial(self._inner.start_tls, ssl_context, server_hostname, seconds)
        if self._proxy and not self._tls:  # it made a tunnel: from here on, a server speaks
            self._settings.answered(self._proxy)
            return Stream(_in_time(self._settings, start, timeout), self._settings)
        with _connecting(self._proxy):
            inner = _in_time(self._settings, start, timeout)
        return Stream(inner, self._settings, self._proxy)

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


@contextmanager
def _connecting(proxy: str) -> Iterator[None]:
    """Name the proxy if it is one that cannot be connected to."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
        if proxy:
            raise NoProxy(proxy, exc) from exc
        raise


def _in_time(
    settings: StreamSettings, call: Callable[[], httpcore.NetworkStream], timeout: float | None
) -> httpcore.NetworkStream:
    """What connects or shakes hands. A deadline ends also what no timeout does: a slow resolver."""
    left = timeout.left if isinstance(timeout, Deadline) else None
    try:
        return settings.cancellation.run(call, left)
    except TooLate:
        msg = "timed out"
        raise httpcore.ConnectTimeout(msg) from None


class Backend(httpcore.NetworkBackend):
    """Connects as httpcore does, and hands out our streams.

    Args:
        settings: For each stream.
        proxy: Where each connection goes, as a URL; empty for servers.
    """

    def __init__(self, settings: StreamSettings, proxy: str) -> None:
        self._inner = httpcore.SyncBackend()
        self._settings = settings
        self._proxy = proxy_name(proxy)
        self._tls = proxy.lower().startswith("https:")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        connect = partial(
            self._inner.connect_tcp,
            host,
            port,
            seconds_left(timeout),
            local_address,
            socket_options,
        )
        with _connecting(self._proxy):
            stream = _in_time(self._settings, connect, timeout)
        return Stream(stream, self._settings, self._proxy, tls=self._tls)


def words(exc: Exception) -> str:
    """What an error of httpcore says, for messages."""
    text = str(exc)
    if isinstance(exc, httpcore.TimeoutException):
        return f"timed out ({text})" if text not in {"", "timed out"} else "timed out"
    return text or type(exc).__name__
