"""What the header of a patch says of its upstream (DEP-3, Debian's patch tagging guidelines).

Knows: the fields ``Applied-Upstream`` and ``Origin``. Must not know: hunks, whether it is true.

Example::

    Description: close the read-only port
    Origin: backport, https://github.com/k3s-io/k3s/commit/097b63e588e3c844cdf9b967bcd0a69f4fc0aa0a
    Applied-Upstream: v1.32.4+k3s1
"""

from __future__ import annotations

import re

_BEGIN = re.compile(rb"^--- ", re.MULTILINE)
_UPSTREAM = re.compile(rb"^Applied-Upstream:[ \t]*\S", re.MULTILINE | re.IGNORECASE)
_FIELD = re.compile(rb"^(?:Applied-Upstream|Origin):(.*)", re.MULTILINE | re.IGNORECASE)
_COMMIT = re.compile(rb"\b[0-9a-f]{40}\b")


def says_upstream(patch: bytes) -> bool:
    """Whether it says that upstream has it."""
    return bool(_UPSTREAM.search(_header(patch)))


def upstream_commits(patch: bytes) -> frozenset[str]:
    """The commits that it names as the ones that it is from, or that have it; whole names."""
    fields = _FIELD.findall(_header(patch))
    return frozenset(name.decode() for text in fields for name in _COMMIT.findall(text))


def _header(patch: bytes) -> bytes:
    return _BEGIN.split(patch, maxsplit=1)[0]
