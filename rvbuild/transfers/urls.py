"""URLs and servers' words, made fit for messages; whose credentials go where.

Knows: origins, hosts, netrc, what a terminal may be shown. Must not know: how bytes travel.
"""

from __future__ import annotations

import ipaddress
import netrc
import os
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.login import TWO_WAYS, SplitAddress, shown_malformed
from rvbuild.core.printable import brief

_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 254
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

USE_NETRC = "if it wants a password, put one for that host into ~/.netrc (or where NETRC says)"
OWN_LOGIN = (
    "it refused the user name and password that stand in its address: correct them where it is set,"
    " as a cache, a mirror or an index"
)

Origin = tuple[str, str, int]
"""Scheme, host and port: what credentials belong to."""


def origin(url: str) -> Origin:
    """The origin of ``url``.

    Raises:
        SourceError: not a URL that HTTP can be asked for.
    """
    try:
        url.encode()
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as exc:
        msg = "not a valid URL"
        raise SourceError(msg, where=shown(url)) from exc
    if scheme not in _PORTS or not host:
        msg = "not an http or https URL"
        raise SourceError(msg, where=shown(url))
    if not is_host(host):
        msg = f"its host is no name of a server: {brief(host, most=80)!r}"
        raise SourceError(msg, where=shown(url))
    return scheme, host, _PORTS[scheme] if port is None else port


def host_of(url: str) -> str:
    """The host of an address; empty for a path, and for what has none."""
    try:
        return urlsplit(SplitAddress.of(url).bare).hostname or ""
    except ValueError:
        return ""


def refuse_ambiguous(url: str) -> None:
    """See that nobody can take a part of a login for the host, or send it as a path.

    Args:
        url: As a person wrote it, or below what a person wrote.

    Raises:
        SourceError: somebody can (`SplitAddress`).
    """
    split = SplitAddress.of(url)
    if split.is_ambiguous:
        raise SourceError(TWO_WAYS, where=shown(url), hint=split.hint)


def is_host(text: str) -> bool:
    """Whether a resolver can be asked for a host.

    Rules:

    1. It is an address (RFC 3986, without brackets), or at most 253 letters of labels with a dot
       between them; one more dot may end it.
    2. A label has 1 to 63 letters, digits, hyphens and underscores. DNS has no underscore in the
       name of a host, but the names of containers have.
    3. A label of other letters, or of IDNA's form (``xn--``), is one that IDNA knows (RFC 5891).

    Example: ``git.corp``, ``build_1`` and ``bücher.example`` are hosts; ``a..b``, ``xn--a`` and
    ``-`` followed by a space are none.
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return len(text) <= _LONGEST_HOST and all(map(_is_label, labels))
    return True


def _is_label(text: str) -> bool:
    if _LABEL.fullmatch(text):
        return not text.lower().startswith("xn--") or _is_international(text)
    return not text.isascii() and _is_international(text)


def _is_international(label: str) -> bool:
    import idna  # noqa: PLC0415 - large tables, and few hosts have such labels

    try:
        idna.decode(idna.encode(label.lower()))
    except idna.IDNAError:
        return False
    return True


def shown(url: str) -> str:
    """``url`` for messages: no user name, password, query or fragment (`SplitAddress`).

    Of ``git@host:path`` the user stays: it is no secret.
    """
    try:
        parts = urlsplit(SplitAddress.of(url).bare)
    except ValueError:
        return brief(shown_malformed(url), most=400)
    text = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return brief(text + "?…" if parts.query else text, most=400)


@frozen
class Credentials:
    """User names and passwords by host, as netrc has them.

    ``problem`` says why netrc could not be read: told when a server asks for a password.
    """

    hosts: Mapping[str, tuple[str, str]]
    problem: str = ""

    @classmethod
    def from_netrc(cls, environment: Mapping[str, str]) -> Credentials:
        """Those of ``$NETRC`` or ``~/.netrc``; none if there is no such file.

        Only entries that name a machine count: a ``default`` would send a password
        to whoever asks.
        """
        path = environment.get("NETRC") or os.path.expanduser("~/.netrc")
        try:
            entries = netrc.netrc(path if "NETRC" in environment else None).hosts
        except FileNotFoundError:
            return cls({})
        except netrc.NetrcParseError as exc:
            # The parser's message may quote the token that it tripped over, so only the line.
            line = f", line {exc.lineno}" if exc.lineno else " (or others may read it)"
            return cls({}, f"{path} is not valid{line}")
        except (OSError, UnicodeDecodeError) as exc:
            return cls({}, f"{path} cannot be read ({type(exc).__name__})")
        return cls({h: (e[0], e[2] or "") for h, e in entries.items() if h != "default"})

    def for_url(self, url: str) -> tuple[str, str] | None:
        """What to send with the first request for ``url``: its own user name, else netrc's.

        netrc is not used over plain http, except to this machine.
        """
        parts = urlsplit(url)
        if parts.username is not None:
            return unquote(parts.username), unquote(parts.password or "")
        host = parts.hostname or ""
        if parts.scheme != "https" and host not in _LOOPBACK:
            return None
        return self.hosts.get(host)

    def advice(self, url: str, *, sent: bool = True) -> str:
        """What to do when the server of ``url`` refuses; ``sent`` is whether it got a login."""
        parts = urlsplit(url)
        if parts.username is not None and sent:
            return OWN_LOGIN
        if self.problem:
            return f"{self.problem}: its passwords were not used"
        if parts.hostname in self.hosts:
            if self.for_url(url) is None:
                return "netrc has a password for that host, which is sent over https only: use that"
            return (
                "it refused the user name and password that netrc has for that host: correct them"
            )
        return USE_NETRC
