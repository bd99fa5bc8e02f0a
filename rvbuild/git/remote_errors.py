"""What to do about a server or a proxy that git complains about.

Knows: what git and its helpers (curl, ssh) say, in the locale C. Must not know: repositories.

Sources: git's remote-curl.c and http.c, curl's strerror.c, ssh(1).
"""

from __future__ import annotations

import re
from enum import Enum
from urllib.parse import urlsplit

from attrs import frozen

from rvbuild.core.login import SplitAddress
from rvbuild.transfers.proxy_addresses import GIVE_LOGIN, advice_of_407
from rvbuild.transfers.urls import OWN_LOGIN


@frozen
class Complaint:
    """One kind of complaint: a pattern of what is said, and what to do."""

    pattern: str
    hint: str


_SILENT = re.compile(
    "could not resolve|couldn't resolve|failed to connect|couldn't connect|unable to connect|"
    "connection refused|connection timed out|no route to host|network is unreachable"
)
_NO_NAME = re.compile("could not resolve host|couldn't resolve host")
_CORRECT = "see that the proxy runs and lets this through, or correct {named_by}"
_ANY = "http.proxy of git, or https_proxy"
_NO_ANSWER = Complaint(
    "Could( not|n't) resolve host|Failed to connect|Couldn't connect|Connection timed out"
    "|Connection refused|Network is unreachable",
    "if this network has a proxy, set http.proxy of git, or https_proxy and http_proxy",
)
_WANTS_LOGIN = Complaint("response 407|error: 407|code 407|Proxy Authentication", GIVE_LOGIN)
_NO_TUNNEL = Complaint(
    "[Cc]ould not resolve proxy|tunnel failed|from proxy after CONNECT|[Pp]roxy CONNECT",
    _CORRECT.format(named_by=_ANY),
)
_REFUSED = Complaint(
    "could not read (Username|Password)|Authentication failed|error: 40[13]"
    "|Invalid (username|credentials)|Repository not found|repository .* not found",
    "if it wants a password, let a credential helper of git or ~/.netrc have one for that host",
)
_LOOKED_UP_HERE = (
    "correct the server's name; if the proxy alone knows it, let {named_by} begin with socks5h://"
)
_OF_PROXIES = (_NO_ANSWER, _NO_TUNNEL)
COMPLAINTS = (
    _WANTS_LOGIN,
    _NO_TUNNEL,
    Complaint(
        "certificate has expired|certificate is not yet valid|certificate expired",
        "see that this machine's clock is right; then tell who runs the server",
    ),
    Complaint(
        "subject name|does not match target host|not match the (host|server) ?name",
        "use a name or an address that the certificate is for, or tell who runs the server",
    ),
    Complaint(
        "certificate verif|SSL certificate problem|certificate verify failed|CAfile",
        "behind a company's own authority, put its certificate into the system's store (as"
        " update-ca-certificates does), or name a file with git's http.sslCAInfo or GIT_SSL_CAINFO",
    ),
    Complaint(
        "[Ww]rong version number|[Pp]acket length too long|unexpected TLS packet",
        "the server speaks no TLS: should its address begin with http:// in place of https://?",
    ),
    _REFUSED,
    Complaint(
        r"Permission denied \(|Host key verification failed|Load key|ssh: ",
        "let ssh reach that host without a question: `ssh -T HOST` says what it lacks",
    ),
    _NO_ANSWER,
)
"""The first whose pattern is in what was said decides."""


def is_silence(said: str) -> bool:
    """Whether git says that the server, or a proxy before it, gave no answer at all."""
    return _SILENT.search(said.lower()) is not None


class Suspect(Enum):
    """Who may be the one that gave no answer."""

    SERVER = "the server; the proxy before it was not asked, or there is none"
    PROXY = "the proxy"
    EITHER = "the proxy, or the server behind it"


def suspect(said: str, proxy: str) -> Suspect:
    """Who gave no answer, where `is_silence`.

    A SOCKS proxy is asked for an address, which curl looks up here: a name that nobody knows says
    nothing of the proxy. Only what names the proxy is of the proxy itself.

    Args:
        said: By git, which quotes the URL first, and then curl.
        proxy: The address of the proxy that git went by, which can be used; empty for none.
    """
    reason = said.rpartition("': ")[2].lower()
    if not proxy:
        return Suspect.SERVER
    host = re.escape(urlsplit(SplitAddress.of_proxy(proxy).bare).hostname or "")
    if "resolve proxy" in reason or re.search(rf"(?<![\w.-]){host}(?![\w-]|\.\w)", reason):
        return Suspect.PROXY
    return Suspect.SERVER if _NO_NAME.search(reason) else Suspect.EITHER


def hint_for(said: str, proxy: str = "", named_by: str = "", *, url: str = "") -> str:
    """What to do about it; empty if nobody knows more than usual.

    Args:
        said: By git.
        proxy: The address of the proxy that git went by; empty for none. That is who gave no
            answer, and perhaps who refused.
        named_by: Where it is set.
        url: What git asked: a password in it is one that was refused.
    """
    reason = next((each for each in COMPLAINTS if re.search(each.pattern, said)), None)
    if reason is _REFUSED and ":" in SplitAddress.of(url).login:
        reason = Complaint(reason.pattern, OWN_LOGIN)
    if not proxy:
        return reason.hint if reason else ""
    if reason is _NO_ANSWER and suspect(said, proxy) is Suspect.SERVER:
        return _LOOKED_UP_HERE.format(named_by=named_by)
    correct = _CORRECT.format(named_by=named_by)
    if reason is None or reason in _OF_PROXIES:
        return correct
    if reason is _WANTS_LOGIN:
        return advice_of_407(proxy, named_by)
    return f"{reason.hint}; {correct}"
