"""Addresses: where something may be had, and what is said of text that is none.

Knows: what an address of a server is, which are of this machine, and how one is reached.
Must not know: what is at an address, how bytes travel.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.login import ESCAPES, LOGIN_HINT, SplitAddress, may_have_login
from rvbuild.core.printable import brief
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.urls import origin

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@frozen(kw_only=True)
class Route:
    """How servers are reached, as a package client's configuration has it.

    ``authorities`` is a file of certificates that are trusted instead of all others; empty for
    those of the user. ``authorities_by_host`` has the hosts with a file of their own,
    ``authorities_named_by`` the setting that says so.
    """

    proxies: Proxies
    authorities: str = ""
    authorities_by_host: Mapping[str, str] = field(factory=dict)
    authorities_named_by: str = ""

    def authorities_of(self, host: str) -> str:
        """The file of certificates that counts for a host; empty for those of the user."""
        return self.authorities_by_host.get(host, self.authorities)


@frozen
class Address:
    """Where something may be had: a URL, or a path of this machine.

    Attributes:
        text: As somebody wrote it.
        route: How its server is reached; None for the way of the environment.
        login: Whether its server may have what the user has for that host.
        linked: Whether a server wrote it: then our own reading of it is the only one that counts.
    """

    text: str
    route: Route | None = field(default=None, eq=False)
    login: bool = field(default=True, eq=False)
    linked: bool = field(default=False, eq=False)

    @property
    def path(self) -> Path | None:
        """The path on this machine; None for a URL."""
        return local_path(self.text)

    @property
    def server(self) -> str:
        """Host and port; empty for a path, and for what is no URL."""
        try:
            return "" if self.path else server_of(self.text)
        except SourceError:  # no URL of ours: asking for it will say so
            return ""


def server_of(url: str) -> str:
    """Host and port of a URL, as `Servers` names them.

    Raises:
        SourceError: not a URL that HTTP can be asked for.
    """
    _, host, port = origin(url)
    return f"{host}:{port}"


def local_path(address: str) -> Path | None:
    """The path that ``address`` names on this machine; None for anything else.

    As for git, a colon before the first slash makes it a remote one (``git@host:path``). What
    cannot be a path (it has a NUL) is told by whoever opens it.
    """
    if address.startswith("file://"):
        path = re.split(r"[?#]", address[7:])[0].partition("/")[2]
        return Path("/", unquote(path))
    if _SCHEME.match(address) or ":" in address.partition("/")[0]:
        return None
    try:
        return Path(os.path.expanduser(address)).absolute()  # ~NOBODY is a folder of that name
    except ValueError:  # nobody can have a name with a NUL
        return Path(address).absolute()


_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f]+")


def is_http(text: str) -> bool:
    """Whether ``text`` is an http or https URL with a host, and nothing around it."""
    if not _PLAIN.fullmatch(text):
        return False
    try:
        origin(text)
    except SourceError:
        return False
    return True


def http_address(text: str, *, of: str, where: str, hint: str) -> str:
    """``text``, which is an address.

    Args:
        text: What somebody wrote.
        of: What it is to be the address of: ``a package index``.
        where: The variable or the file that has it.
        hint: What to write there.

    Raises:
        SourceError: it is no http or https URL, or can be read in two ways.
    """
    if SplitAddress.of(text).is_ambiguous or not is_http(text):
        raise no_address(text, of=of, where=where, hint=hint)
    return text


def no_address(text: str, *, of: str, where: str, hint: str) -> SourceError:
    """The error for text that is no address; see `http_address`."""
    bare = re.split(r"[?#]", SplitAddress.of_proxy(text).bare)[0]  # all else may be a secret
    split = SplitAddress.of(text)
    if split.scheme and split.is_ambiguous:
        msg = f"the address of {of} can be read in two ways: {brief(bare)!r}"
        return SourceError(msg, where=where, hint=LOGIN_HINT)
    hint = f"{hint}; {ESCAPES}" if may_have_login(text) else hint
    shown = "" if may_have_login(bare) else f": {brief(bare)!r}"
    return SourceError(f"not the address of {of}{shown}", where=where, hint=hint)
