"""Where the login of an address ends, and what may be printed of the address.

Knows: how the clients split an address: the first /, ? or # ends the host, and some take the first
@ before it, some the last. Must not know: who is asked, and for what.

This is the one place that decides it: whoever prints or refuses an address asks here.
"""

from __future__ import annotations

import re

from attrs import field, frozen

TWO_WAYS = "an address that can be read in two ways"
LOGIN_HINT = (
    "write @ / ? and # of a user name or a password as %40 %2F %3F and %23, and @ of a path as %40"
)
ESCAPES = (
    "write special letters of a user name or a password as %XX, as %40 for @ and %20 for a space"
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_END_OF_HOST = re.compile(r"[/?#]")
_SERVER = re.compile(r"(?:\[[^\]@]*\]|[^:@\[\]]*)(?::[0-9]*)?\Z")
_IN_BRACKETS = re.compile(r"\[[^\]@]*\]")
_HOST = re.compile(r"(\[[^\]@]*\]|[^:@\[\]]+)(:[0-9]*)?\Z")
_END_OF_NAME = re.compile(r"[/?#@]")
_IP_V4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:[-+~_].*)?\Z")
_FILE = re.compile(r".+\.(?:tar|tgz|gz|xz|bz2|zst|zip|deb|dsc|whl|crate|git)\Z")
_OF_GO = re.compile(r"v/|latest\Z")  # how a proxy of Go modules names its pages, after an @
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


@frozen
class SplitAddress:
    """An address, split where its login ends.

    Rules for the address of something that has a path:

    1. A login ends at an @ before the first /, ? or #. There is one @ at most.
    2. An @ after it belongs to the path, unless a colon is anywhere before it, and either what
       follows the host's colon is no port, or what follows the @ may be a server. Then the @ may
       end a password that has one of those letters.
    3. No server is what Go's proxies write after an @, a version (``1``, ``v1.2-rc.1``), a last
       name of a path that ends as files do (``1.tar.gz``), and what no host and port can be.

    Example: ``https://files.example:8080/pool/foo@1`` has no login. ``https://al:12/ce@b.example/``
    can be read in two ways, and so can ``https://al@corp.example:ce@b.example/``.

    Attributes:
        scheme: With ``://``; empty for none.
        login: All that may be one, without the @ at its end.
        rest: What may be printed: host, port, path, query, fragment.
        is_ambiguous: Whether clients may read it in several ways.
    """

    scheme: str
    login: str = field(repr=False)
    rest: str
    is_ambiguous: bool

    @property
    def bare(self) -> str:
        """The address without what may be a login."""
        return self.scheme + self.rest

    @classmethod
    def of(cls, address: str) -> SplitAddress:
        """Split an address of something that has a path."""
        scheme, rest = _scheme_and_rest(address)
        if scheme.lower() == "file://":
            return cls(scheme, "", rest, is_ambiguous=False)
        host_end = _host_end(rest)
        of_host = rest.rfind("@", 0, host_end)
        is_server = _SERVER.match(rest[of_host + 1 : host_end]) is not None
        doubtful = [
            place.start()
            for place in re.finditer("@", rest)
            if place.start() >= host_end and _may_end_login(rest, place.start(), is_server)
        ]
        is_ambiguous = bool(doubtful) or rest.count("@", 0, host_end) > 1
        return cls._cut(scheme, rest, max([of_host, *doubtful]), is_ambiguous)

    @classmethod
    def of_proxy(cls, address: str) -> SplitAddress:
        """Split an address that has no path: rule 2 holds for every @."""
        scheme, rest = _scheme_and_rest(address)
        is_ambiguous = rest.count("@") > 1 or "@" in rest[_host_end(rest) :]
        return cls._cut(scheme, rest, rest.rfind("@"), is_ambiguous)

    @classmethod
    def _cut(cls, scheme: str, rest: str, at: int, is_ambiguous: bool) -> SplitAddress:  # noqa: FBT001
        return cls(scheme, rest[: max(at, 0)], rest[at + 1 :], is_ambiguous)


def _scheme_and_rest(address: str) -> tuple[str, str]:
    found = _SCHEME.match(address)
    scheme = found.group() if found else ""
    return scheme, address[len(scheme) :]


def _host_end(rest: str) -> int:
    end = _END_OF_HOST.search(rest)
    return end.start() if end else len(rest)


def _may_end_login(rest: str, at: int, is_server: bool) -> bool:  # noqa: FBT001
    """Whether an @ that stands after the end of the host may end a login (rule 2)."""
    colon = ":" in _IN_BRACKETS.sub("", rest[:at], count=1)
    return colon and (not is_server or _may_be_server(rest[at + 1 :]))


def _may_be_server(text: str) -> bool:
    """Whether a text may begin with a host and a port (rule 3)."""
    name = _HOST.match(_END_OF_NAME.split(text)[0])
    if name is None or _OF_GO.match(text):
        return False
    host, port = name.groups()
    if port or _IP_V4.match(host):
        return True
    return not (_VERSION.match(host) or (_FILE.match(host) and not re.search("[/@]", text)))


def may_have_login(text: str) -> bool:
    """Whether a text that is no address may have a user name or a password in it.

    A space or a comma may have cut it off before the @: then it ends with what is no port.
    """
    _, rest = _scheme_and_rest(text)
    is_whole = _END_OF_HOST.search(rest) or _SERVER.match(rest) or rest.startswith("file:")
    return "@" in text or not is_whole


def without_logins(text: str) -> str:
    """A text without the user names and passwords of its URLs, whoever wrote them there."""
    return _IN_TEXT.sub(lambda url: SplitAddress.of(url.group()).bare, text)
