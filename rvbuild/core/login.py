"""Where the login of an address ends, and what may be printed of the address.

Knows: how the clients split an address: the first /, ? or # ends the host, and some take the first
@ before it, some the last. Must not know: who is asked, and for what.

Two kinds of callers, and no other place decides:

- Code that reads what a person wrote (a recipe, a setting, a variable, a client's file) refuses an
  address that `SplitAddress.is_ambiguous`. What a server wrote (a redirect, a link) has one
  reading: that of our own client.
- Code that prints takes `SplitAddress.public` of an address, and `without_secrets` of a text with
  addresses in it, whoever wrote them. Of the log of a step, which must stay readable, it takes
  `without_logins`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import field, frozen

TWO_WAYS = "an address that can be read in two ways"
MALFORMED = "a malformed address"
MALFORMED_HINT = (
    "write SCHEME://HOST/PATH: [ and ] stand around an address of IPv6 only, and a port is a"
    " number up to 65535"
)
LOGIN_HINT = (
    "write @ / ? and # of a user name or a password as %40 %2F %3F and %23, and @ of a path as %40"
)
ESCAPES = (
    "write special letters of a user name or a password as %XX, as %40 for @ and %20 for a space"
)
_SCHEME_HINT = (
    "write https:// before a user name and a password; for HOST:PATH of ssh write USER@HOST:PATH"
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_END_OF_HOST = re.compile(r"[/?#]")
_END_OF_PATH = re.compile(r"[?#]")
_SERVER = re.compile(r"(?:\[[^\]@]*\]|[^:@\[\]]*)(?::[0-9]*)?\Z")
_IP_V6 = re.compile(r"\[[0-9A-Fa-f:.]+(?:%[\w.~-]*)?\]")
_SERVER_V6 = re.compile(rf"{_IP_V6.pattern}(?::[0-9]*)?")
_BRACKET = re.compile(r"[\[\]]")
_AT = re.compile("@")
_NAME = re.compile(r"[^/?#@]*")
_HOST = re.compile(r"(\[.*|[^:@\[\]&=]+?)(:[0-9]*)?\Z")
_IP = re.compile(r"\[|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:[-+~_].*)?\Z")
_FILE = re.compile(r".+\.(?:tar|tgz|gz|xz|bz2|zst|zip|deb|dsc|whl|crate|git)\Z")
_OF_GO = re.compile(r"v/|latest\Z")  # how a proxy of Go modules names its pages, after an @
_CUT = "…"

_BEFORE_URL = r",|;=&\"'`<>()\[\]{}"
_IN_TEXT = re.compile(
    rf"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]*+://)"
    rf"([^\s{_BEFORE_URL}]*+(?:[{_BEFORE_URL}](?![A-Za-z0-9+.-]*+://)[^\s{_BEFORE_URL}]*+)*+)"
)
_AFTER_URL = ",;:.!\"'`>)]}"


@frozen
class SplitAddress:
    """An address, split where its login ends.

    Rules for the address of something that has a path:

    1. A login ends at an @ before the first /, ? or #. There is one @ at most.
    2. An @ after it belongs to the path, unless a colon is anywhere before it, and either what
       follows the host's colon is no port, or what follows the @ may be a server. Then the @ may
       end a password that has one of those letters.
    3. No server is what Go's proxies write after an @, a version (``1``, ``v1.2-rc.1``), a last
       name of a path that ends as files do (``1.tar.gz``), a name without a dot after ``/@`` (an
       npm scope), and what no host and port can be (``al&x=1``).
    4. Without a scheme, a / before the first colon makes a path of this machine. Else the first
       colon ends ``USER@HOST``, as for ssh, and there is no password. If there is no @ before that
       colon and one after it, it may end a password all the same: somebody forgot ``https://``.

    Printed is neither a login, nor of what can be read in two ways anything but what follows the
    last @ that may end a login, up to a ? or #. An ellipsis stands for what was cut there.

    Example: ``https://files.example:8080/pool/foo@1`` has no login. ``https://al:12/ce@b.example/x``
    can be read in two ways, and so can ``https://al@corp.example:ce@b.example/x``; of both,
    ``https://…@b.example/x`` is printed. ``https://al:12?user=me@b.example&key=ce`` has no login;
    of ``https://al:s?user=me@b.example&key=ce``, which may have one, ``https://…`` is printed.

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
        """The address without what may be a login; that of a bare address is the same."""
        return self.scheme + self.rest

    @property
    def public(self) -> str:
        """`bare`, and of a URL no query or fragment either: a token may stand there.

        What has no scheme is a path, or HOST:PATH of ssh: a ? or # is a letter of its name.
        """
        is_url = self.scheme and self.scheme.lower() != "file://"
        return self.scheme + _without_query(self.rest) if is_url else self.bare

    @property
    def is_malformed(self) -> bool:
        """Whether no client can tell its host and port: brackets or a port that are none.

        Who splits an address of which nobody has seen that gets a ``ValueError`` of Python.
        """
        try:
            parts = urlsplit(self.bare)
            _ = parts.port
        except ValueError:
            return True
        server = parts.netloc.rpartition("@")[2]
        return bool(_BRACKET.search(server)) and not _SERVER_V6.fullmatch(server)

    @property
    def hint(self) -> str:
        """How to write it, where it can be read in two ways."""
        return LOGIN_HINT if self.scheme else _SCHEME_HINT

    @classmethod
    def of(cls, address: str) -> SplitAddress:
        """Split an address of something that has a path."""
        scheme, rest = _scheme_and_rest(address)
        if scheme.lower() == "file://":
            return cls(scheme, "", rest, is_ambiguous=False)
        if not scheme:
            return cls._without_scheme(address)
        host_end = _host_end(rest)
        of_host = rest.rfind("@", 0, host_end)
        doubtful = _last_doubtful(rest, of_host + 1, host_end)
        is_ambiguous = doubtful >= 0 or rest.count("@", 0, host_end) > 1
        return cls._cut(scheme, rest, max(of_host, doubtful), is_ambiguous)

    @classmethod
    def of_proxy(cls, address: str) -> SplitAddress:
        """Split an address that has no path: rule 2 holds for every @."""
        scheme, rest = _scheme_and_rest(address)
        is_ambiguous = rest.count("@") > 1 or "@" in rest[_host_end(rest) :]
        return cls._cut(scheme, rest, rest.rfind("@"), is_ambiguous)

    @classmethod
    def _without_scheme(cls, address: str) -> SplitAddress:
        """Rule 4."""
        host, colon, path = address.partition(":")
        at = path.rfind("@")
        if "/" in host or at < 0:
            return cls("", "", address, is_ambiguous=False)
        if "@" in host:
            return cls("", path[:at], host + colon + _after(path, at), is_ambiguous=False)
        return cls._cut("", address, len(host) + 1 + at, is_ambiguous=True)

    @classmethod
    def _cut(cls, scheme: str, rest: str, at: int, is_ambiguous: bool) -> SplitAddress:  # noqa: FBT001
        login = rest[: max(at, 0)]
        if login == _CUT:
            return cls(scheme, "", rest, is_ambiguous)
        return cls(
            scheme, login, _after(rest, at) if is_ambiguous else rest[at + 1 :], is_ambiguous
        )


def _scheme_and_rest(address: str) -> tuple[str, str]:
    found = _SCHEME.match(address)
    scheme = found.group() if found else ""
    return scheme, address[len(scheme) :]


def _host_end(rest: str) -> int:
    end = _END_OF_HOST.search(rest)
    return end.start() if end else len(rest)


def _after(rest: str, at: int) -> str:
    """What may be printed where an @ may end a login: nothing that may stand in a query."""
    end = _END_OF_PATH.search(rest)
    path = rest[: end.start()] if end else rest
    return f"{_CUT}@{path[at + 1 :]}" if at < len(path) else _CUT


def _last_doubtful(rest: str, host: int, host_end: int) -> int:
    """The last @ after the end of the host that may end a login (rule 2); -1 if none may.

    It reads each letter a few times: what a text has between two spaces may be long.
    """
    brackets = _IP_V6.match(rest, host)
    colon = rest.find(":", 0, host)
    if colon < 0:
        colon = rest.find(":", brackets.end() if brackets else host)
    if colon < 0:
        return -1
    begin = max(host_end, colon)
    if not _SERVER.match(rest[host:host_end]):
        return rest.rfind("@", begin)
    last_name = max(rest.rfind("/"), rest.rfind("@")) + 1
    ends = (place.start() for place in _AT.finditer(rest, begin))
    return max((at for at in ends if _may_be_server(rest, at + 1, last_name)), default=-1)


def _may_be_server(rest: str, begin: int, last_name: int) -> bool:
    """Whether a host and a port may begin there, after an @ (rule 3)."""
    name = _NAME.match(rest, begin)
    server = _HOST.match(name.group()) if name else None
    if server is None or _OF_GO.match(rest, begin):
        return False
    host, port = server.groups()
    if port or _IP.match(host):
        return True
    if rest[begin - 2] == "/" and "." not in host:
        return False
    return not (_VERSION.match(host) or (_FILE.match(host) and begin == last_name))


def may_have_login(text: str) -> bool:
    """Whether a text that is no address may have a user name or a password in it.

    A space or a comma may have cut it off before the @: then it ends with what is no port.
    """
    _, rest = _scheme_and_rest(text)
    is_whole = _END_OF_HOST.search(rest) or _SERVER.match(rest) or rest.startswith("file:")
    return "@" in text or not is_whole


def shown_malformed(url: str) -> str:
    """A malformed address for messages: nothing of it that may be a login, a query, a fragment."""
    plain = _END_OF_PATH.split(SplitAddress.of(url).bare)[0]
    return "(a malformed URL)" if may_have_login(plain) else plain


def without_logins(text: str) -> str:
    """A text without the user names and passwords of its URLs, whoever wrote them there.

    A URL ends at a space, or where another one begins after a comma, a bar, a quote or the like.
    Other letters do not end it: a password may have them.
    """
    return _IN_TEXT.sub(_bare_in_text, text)


def without_secrets(text: str) -> str:
    """The same without the queries and the fragments of its URLs.

    An ellipsis stands for one; what is behind the next space, or begins another URL, stays.

    Example: ``unable to access 'https://h/x?token=s3cr/': refused`` becomes
    ``unable to access 'https://h/x?…': refused``.
    """
    return _IN_TEXT.sub(_public_in_text, text)


def _bare_in_text(url: re.Match[str]) -> str:
    return _in_text(url, lambda address: address)


def _public_in_text(url: re.Match[str]) -> str:
    return _in_text(url, _without_query)


def _in_text(url: re.Match[str], cut: Callable[[str], str]) -> str:
    scheme, address = url.groups()
    if scheme.lower() == "file://":
        return url.group()
    body = address.rstrip(_AFTER_URL)
    return scheme + cut(SplitAddress.of(f"https://{body}").rest) + address[len(body) :]


def _without_query(rest: str) -> str:
    """What of an address is before a query or a fragment, and an ellipsis for that."""
    end = _END_OF_PATH.search(rest)
    return rest if end is None else f"{rest[: end.end()]}{_CUT if rest[end.end() :] else ''}"
