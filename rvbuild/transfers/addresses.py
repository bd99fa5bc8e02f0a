"""Addresses that a person wrote: in an environment variable, in a client's configuration.

Knows: what an address of a server is, and what is said of text that is none.
Must not know: what is at an address.
"""

from __future__ import annotations

import re

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief
from rvbuild.transfers.urls import origin

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
        SourceError: it is no http or https URL.
    """
    if not is_http(text):
        raise no_address(text, of=of, where=where, hint=hint)
    return text


def no_address(text: str, *, of: str, where: str, hint: str) -> SourceError:
    """The error for text that is no address; see `http_address`."""
    bare = re.split(r"[?#]", text)[0].rpartition("@")[2]  # all else may be a password or a token
    return SourceError(f"not the address of {of}: {brief(bare)!r}", where=where, hint=hint)
