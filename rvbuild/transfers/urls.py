"""URLs and servers' words, made fit for messages; whose credentials go where.

Knows: origins, netrc, what a terminal may be shown. Must not know: how bytes travel.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

Origin = tuple[str, str, int]
"""Scheme, host and port: what credentials belong to."""


def origin(url: str) -> Origin:
    """The origin of ``url``.

    Raises:
        SourceError: not a URL that HTTP can be asked for.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as exc:
        msg = "not a valid URL"
        raise SourceError(msg, where=shown(url)) from exc
    if scheme not in _PORTS or not host:
        msg = "not an http or https URL"
        raise SourceError(msg, where=shown(url))
    return scheme, host, _PORTS[scheme] if port is None else port


def shown(url: str) -> str:
    """``url`` for messages: no user name, password, query or fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a malformed URL)"
    netloc = parts.netloc.rpartition("@")[2]
    text = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
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

    @property
    def advice(self) -> str:
        """What to do when a server refuses."""
        advice = "if it wants a password, put one for that host into ~/.netrc (or where NETRC says)"
        return f"{self.problem}: its passwords were not used" if self.problem else advice
