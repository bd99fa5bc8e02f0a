"""What an answer without a usable body means, and no answer at all.

Knows: status codes, and the errors of httpx and httpcore. Must not know: retries.
"""

from __future__ import annotations

import email.utils
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpcore
import httpx

from rvbuild.core.errors import RvbuildError, SourceError
from rvbuild.core.printable import brief
from rvbuild.transfers.addresses import Route, server_of
from rvbuild.transfers.authorities import HINT
from rvbuild.transfers.connections import NoProxy, SilentProxy, Stalled
from rvbuild.transfers.proxy_addresses import advice_of_407, proxy_name
from rvbuild.transfers.transfer import Again
from rvbuild.transfers.urls import OWN_LOGIN, Credentials, shown
from rvbuild.transfers.wire import PROXY, ROUTE

_GONE = {404, 410}
_CLOCK = "see that this machine's clock is right; then tell who runs the server"
_NAME = "use a name or an address that the certificate is for, or tell who runs the server"
_CERTIFICATES = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}
"""What to do about a certificate where no authority is lacking, by OpenSSL's X509_V_ERR number."""
_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"))
"""What OpenSSL says of bytes that are no TLS, by its version."""
_PLAIN = "should its address begin with http:// in place of https://?"
_LET_THROUGH = "see that the proxy lets this through"
_RUNS = "see that the proxy runs and lets this through"
_NO_PROXY = "if this network has a proxy, set https_proxy and http_proxy"


class NotThere(SourceError):
    """The server answered that it has no such thing (404, 410): another one may."""


def check_encoding(url: str, response: httpx.Response) -> None:
    """A body that was re-encoded on the way is not what was asked for.

    ``gzip`` is let through for what is gzip by name: servers label archives so.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    zipped = urlsplit(url).path.endswith((".gz", ".tgz")) and encoding in {"gzip", "x-gzip"}
    if encoding not in {"", "identity"} and not zipped:
        msg = f"the server sent {brief(encoding, most=40)}-encoded bytes, unasked"
        raise SourceError(msg, where=shown(url))


def refusal(url: str, response: httpx.Response, credentials: Credentials) -> RvbuildError | Again:
    """What a status without a usable body means."""
    status, proxy = response.status_code, _proxy_that_may_answer(response)
    by, hint = (f", by {proxy}", _LET_THROUGH) if proxy else ("", "")
    cause = f"{status} {brief(response.reason_phrase, most=60)}".strip()
    if status == 407:
        route: Route = response.request.extensions[ROUTE]
        return _refused_by_proxy(url, cause, *route.proxies.choice(str(response.request.url)))
    if status in {408, 425, 429} or status >= 500:
        return Again(cause + by, _retry_after(response), hint=hint)
    if words := _first_words(response):
        cause = f"{cause}: {words}"
    cause += by
    if status in _GONE:
        return NotThere(f"not there ({cause})", where=shown(url))
    how = ""
    if status in {401, 403}:
        sent = "authorization" in response.request.headers  # not after a redirect elsewhere
        advice = credentials.advice(url, sent=sent)
        how = " with the user name and password of its address" if advice == OWN_LOGIN else ""
        hint = f"{advice}; {hint}" if hint else advice
    return SourceError(f"refused{how} ({cause})", where=shown(url), hint=hint or None)


def _proxy_that_may_answer(response: httpx.Response) -> str:
    """The proxy that an answer may be of, and not of the server: not where it is a tunnel."""
    return str(response.extensions[PROXY]) if response.request.url.scheme == "http" else ""


def _refused_by_proxy(url: str, cause: str, proxy: str, named_by: str) -> SourceError:
    """A proxy wants a login; or a server says so that has none before it."""
    name = proxy_name(proxy) or "a proxy"
    hint = advice_of_407(proxy, named_by)
    return SourceError(f"{name} refuses ({cause})", where=shown(url), hint=hint)


def _first_words(response: httpx.Response) -> str:
    """The first line of a short text/plain answer: module proxies explain themselves there."""
    if not response.headers.get("content-type", "").startswith("text/plain"):
        return ""
    body = b""
    for piece in response.iter_raw():
        body += piece
        if len(body) > 4096:
            break
    lines = body[:4096].decode("utf-8", "replace").strip().splitlines()
    return brief(lines[0]) if lines else ""


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for; a date counts from the server's own ``Date``."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
        now = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def fault(
    url: str, exc: httpx.TransportError, route: Route, *, silent: bool = False
) -> RvbuildError | Again:
    """What a broken connection means. ``silent``: there was no answer at all."""
    if isinstance(exc, httpx.UnsupportedProtocol):
        return SourceError("not an http or https URL", where=shown(url))
    words = brief(str(exc).strip()) or type(exc).__name__
    address, named_by = route.proxies.choice(url)
    proxy = proxy_name(address)
    if isinstance(exc, httpx.ProxyError):
        return _no_tunnel(url, words, address, named_by)
    server = server_of(url) if silent else ""
    causes = list(_causes(exc))
    for cause in causes:
        if meaning := _meaning(url, cause, words, route):
            return meaning
    late = any(isinstance(cause, httpcore.TimeoutException) for cause in causes)
    if not proxy:
        return Again(words, late=late, silent=server)
    behind = proxy if any(isinstance(cause, SilentProxy) for cause in causes) else ""
    way = _RUNS if behind else _LET_THROUGH
    hint = f"{way}, or correct {named_by}"
    return Again(f"{words}, by {proxy}", late=late, silent=server, behind=behind, hint=hint)


def _causes(exc: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = exc
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _meaning(
    url: str, cause: BaseException, words: str, route: Route
) -> RvbuildError | Again | None:
    """What one cause of several means; a wrong certificate will not mend itself."""
    if isinstance(cause, Stalled):
        return Again(words, stalled=True, late=True)
    if isinstance(cause, NoProxy):
        named_by = route.proxies.choice(url)[1]
        reasons = (_of_tls(url, cause.proxy, each, named_by) for each in _causes(cause))
        hint = f"see that the proxy runs, or correct {named_by}"
        return next(filter(None, reasons), Again(words, silent=cause.proxy, hint=hint))
    if isinstance(cause, socket.gaierror):
        return Again(words, silent=server_of(url), hint=_NO_PROXY)
    return _of_tls(url, "the server", cause)


def _of_tls(url: str, whose: str, cause: BaseException, named_by: str = "") -> SourceError | None:
    """What a cause says of TLS with a server, or with the proxy that somebody named."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _untrusted(url, whose, cause)
    if not isinstance(cause, ssl.SSLError) or cause.reason not in _NO_TLS:
        return None
    hint = f"correct {named_by}: {_PLAIN}" if named_by else _PLAIN
    msg = f"{whose} speaks no TLS ({brief(str(cause))})"
    return SourceError(msg, where=shown(url), hint=hint)


def _untrusted(url: str, whose: str, error: ssl.SSLCertVerificationError) -> SourceError:
    message = f"{whose}'s certificate is not trusted: {brief(error.verify_message)}"
    hint = _CERTIFICATES.get(error.verify_code, HINT)
    return SourceError(message, where=shown(url), hint=hint)


def _no_tunnel(url: str, words: str, address: str, named_by: str) -> RvbuildError | Again:
    """A proxy makes no connection to the server; ``words`` begin with its status."""
    proxy = proxy_name(address)
    if words[:3] in {"401", "407"}:
        return _refused_by_proxy(url, words, address, named_by)
    if words[:3] == "403":
        message = f"{proxy} lets nobody through to it ({words})"
        return SourceError(message, where=shown(url), hint=_LET_THROUGH)
    return Again(f"{proxy} makes no connection: {words}", hint=_LET_THROUGH)
