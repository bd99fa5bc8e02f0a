"""What to do about a server or a proxy that git complains about.

Knows: what git and its helpers (curl, ssh) say, in the locale C. Must not know: repositories.

Sources: git's remote-curl.c and http.c, curl's strerror.c, ssh(1).
"""

from __future__ import annotations

import re

from attrs import frozen


@frozen
class Complaint:
    """One kind of complaint: a pattern of what is said, and what to do."""

    pattern: str
    hint: str


_SILENT = re.compile(
    "could not resolve|couldn't resolve|failed to connect|couldn't connect|unable to connect|"
    "connection refused|connection timed out|no route to host|network is unreachable"
)
_CORRECT = (
    "see that the proxy runs and lets this through, or correct http.proxy of git, or https_proxy"
)
_NO_ANSWER = Complaint(
    "Could not resolve host|Failed to connect|Couldn't connect|Connection timed out"
    "|Connection refused|Network is unreachable",
    "if this network has a proxy, set http.proxy of git, or https_proxy and http_proxy",
)
COMPLAINTS = (
    Complaint(
        "response 407|error: 407|Proxy Authentication",
        "put a user name and a password into the proxy's address, before its host and an @",
    ),
    Complaint(
        "[Cc]ould not resolve proxy|tunnel failed|from proxy after CONNECT|[Pp]roxy CONNECT",
        _CORRECT,
    ),
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
        "could not read (Username|Password)|Authentication failed|error: 40[13]"
        "|Invalid (username|credentials)|Repository not found|repository .* not found",
        "if it wants a password, let a credential helper of git or ~/.netrc have one for that host",
    ),
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


def hint_for(said: str, *, by_proxy: bool = False) -> str:
    """What to do about it; empty if nobody knows more than usual.

    Args:
        said: By git.
        by_proxy: Whether git went by a proxy: then that is who gave no answer, and perhaps who
            refused.
    """
    reason = next((each for each in COMPLAINTS if re.search(each.pattern, said)), None)
    if not by_proxy:
        return reason.hint if reason else ""
    if reason is None or reason is _NO_ANSWER:
        return _CORRECT
    return reason.hint if "proxy" in reason.hint else f"{reason.hint}; {_CORRECT}"
