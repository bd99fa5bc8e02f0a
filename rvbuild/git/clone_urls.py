"""The URLs that git may be given.

Knows: which forms name a repository elsewhere. Must not know: mirrors, what is there.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import RecipeError
from rvbuild.core.login import MALFORMED, MALFORMED_HINT, TWO_WAYS, SplitAddress
from rvbuild.transfers.urls import shown

_URL = re.compile(r"(?:https?|ssh|git)://[^-/\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*\Z")
_SCP = re.compile(
    r"(?:[A-Za-z0-9_.+]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^-:\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*\Z"
)


def is_git_url(url: str) -> bool:
    """Whether git may be given ``url``: https, http, ssh, git, or ``user@host:path``."""
    split = SplitAddress.of(url)
    if split.is_ambiguous:
        return False
    if not _URL.match(url):
        return _SCP.match(url) is not None and "::" not in url
    host = "" if split.is_malformed else urlsplit(url).hostname or ""
    return bool(host) and not host.startswith("-")


def check_url(url: str) -> str:
    """``url`` if git may be given it.

    Raises:
        RecipeError: it is an option, a path, a transport that runs programs, or what can be read in
            two ways.
    """
    if is_git_url(url):
        return url
    split = SplitAddress.of(url)
    if split.is_ambiguous:
        msg = f"{TWO_WAYS}: {shown(url)}"
        raise RecipeError(msg, hint=split.hint)
    if split.is_malformed:
        msg = f"{MALFORMED}: {shown(url)}"
        raise RecipeError(msg, hint=MALFORMED_HINT)
    msg = f"not the URL of a git repository: {shown(url)}"
    way = "write https://, ssh:// or git@host:path; for a repository of this machine "
    hint = advise(way, Remedy.MIRROR)
    raise RecipeError(msg, hint=hint)


def host_of(url: str) -> str:
    """The host, and the port if it says one, of a URL that git may be given."""
    if _URL.match(url):
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    return url.partition(":")[0].rpartition("@")[2].lower()
