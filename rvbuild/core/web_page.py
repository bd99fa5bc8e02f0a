"""What a web page begins with.

Knows: HTML's first bytes. Must not know: who sent them, or instead of what.
"""

from __future__ import annotations

import re

LOOK = 512
"""Bytes of which a page's beginning shows."""

_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def is_web_page(begin: bytes) -> bool:
    """Whether what begins so is a web page: portals, proxies and logins send one for any file."""
    return _BEGIN.match(begin) is not None
