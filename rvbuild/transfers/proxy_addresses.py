"""The address of one proxy: whether it can be used, and how a message names it.

Knows: the parts of such an address. Must not know: who goes by it, connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

from rvbuild.core import login
from rvbuild.core.errors import SourceError
from rvbuild.core.login import SplitAddress
from rvbuild.transfers.urls import is_host, shown

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_END_OF_HOST = re.compile(r"[/?#]")
_HINT = (
    "correct its address: http://HOST:PORT, with USER:PASSWORD@ before the host if it wants"
    " one, whose special letters are %XX, as %40 for @ (socks5:// needs the package socksio)"
)
GIVE_LOGIN = "put a user name and a password into the proxy's address, before its host and an @"


def proxy_name(url: str) -> str:
    """A proxy for messages, and for `Servers`; nothing for none.

    A password may have any letter in it, also those that end a host, if nobody escaped it.
    """
    return f"the proxy {shown(SplitAddress.of_proxy(url).bare)}" if url else ""


def has_login(proxy: str) -> bool:
    """Whether a user name stands in a proxy's address."""
    return "@" in proxy


def advice_of_407(proxy: str, named_by: str) -> str:
    """What to do where a proxy wants a login, or refuses the one in its address."""
    if has_login(proxy):
        return f"the proxy refused the user name and password of its address: correct {named_by}"
    return GIVE_LOGIN


def check_proxy(proxy: str, named_by: str) -> None:
    """See that a proxy's address can be read in one way only, and has no control character.

    Clients read one that cannot each in their own way, and quote what they take for its host: a
    part of the password. What they quote goes to the terminal.

    Args:
        proxy: With a scheme, which may be any.
        named_by: The variable or the setting that has it.

    Raises:
        SourceError: it cannot.
    """
    if control := _CONTROL.search(proxy):
        what = f": the character {control.group()!r} is in its address"
        raise unusable(proxy, named_by, what)
    split = SplitAddress.of_proxy(proxy)
    try:
        if not split.scheme:
            msg = "it has no scheme"
            raise ValueError(msg)  # noqa: TRY301 - as urlsplit says of all else
        if split.is_ambiguous:
            raise ValueError(login.TWO_WAYS)  # noqa: TRY301 - the same
        parts = urlsplit(f"//{_END_OF_HOST.split(split.rest)[0]}")
        if not is_host(parts.hostname or ""):
            msg = "its host is no name of a server"
            raise ValueError(msg)  # noqa: TRY301 - the same
        int(parts.port or 0)
    except ValueError as error:
        raise unusable(proxy, named_by) from error


def unusable(proxy: str, named_by: str, reason: str = "") -> SourceError:
    """The error for a proxy that cannot be used; without a login, its port may be a password."""
    where = proxy_name(proxy) if has_login(proxy) else None
    return SourceError(f"{named_by}: a proxy that cannot be used{reason}", where=where, hint=_HINT)


def without_secrets(text: str, proxies: Iterable[str]) -> str:
    """What another client says, without the login of any proxy or URL, and without queries.

    Args:
        text: What it says.
        proxies: The addresses that it may have read. Of one that cannot be used it may quote any
            part, so that no part of the login is left in the text.
    """
    plain = text
    for proxy in proxies:
        own = SplitAddress.of_proxy(proxy).login
        plain = plain.replace(f"{own}@", "") if own else plain
        for piece in _pieces(proxy):
            plain = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", "…", plain)
    return login.without_secrets(plain)


def _pieces(proxy: str) -> list[str]:
    """The parts of the login of an address that cannot be used, the longest first.

    Each is as it was written, and as git writes it: decoded, and encoded again.
    """
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        check_proxy(proxy, "")
    except SourceError:
        split = SplitAddress.of_proxy(proxy)
        own = split.login or split.rest
        parts = [part for form in (own, unquote(own)) for part in re.split(r"[/?#:@]", form)]
        forms = {own, *parts, *(quote(part, safe="") for part in parts)}
        return sorted(forms - {""}, key=len, reverse=True)
    return []
