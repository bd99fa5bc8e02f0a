"""What apt's own lists say of an archive that it has read.

Knows: where apt keeps an index. Must not know: which entries there are, what is in an archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_QUOTED = re.compile(r'[^!-~]|[\\|{}\[\]<>"^~_=!@#$%&*]')
_ORIGIN = re.compile(rb"^Origin: *(.*?)[ \r]*$", re.MULTILINE)
_HEAD = 4096
_DEBIAN = frozenset(("Debian", "Debian Backports"))


def is_debian_origin(origin: str) -> bool:
    """Whether an index's `Origin` is that of Debian's own archive.

    Not `Debian Ports`, whose packages the snapshot archive does not have, nor what others make of
    Debian: `Raspbian`, `Devuan`, `Kali`.
    """
    return origin in _DEBIAN


def lists_folder(settings: Mapping[str, str]) -> Path:
    """Apt's lists, by its settings (apt.conf(5), ``Dir::State::lists``)."""
    root = Path(settings.get("dir") or "/")
    state = settings.get("dir::state") or "var/lib/apt"
    return root / state / (settings.get("dir::state::lists") or "lists")


def origin_in_lists(lists: Path, base: str, suite: str) -> str | None:
    """The `Origin` of an archive's suite; None if apt has no index of it, or that says none.

    Args:
        lists: Apt's lists.
        base: The archive's address.
        suite: Its name.
    """
    for name in ("InRelease", "Release"):
        try:
            with (lists / list_name(f"{base}/dists/{suite}/{name}")).open("rb") as file:
                origin = _ORIGIN.search(file.read(_HEAD))
        except OSError:
            continue
        return origin[1].decode(errors="replace") if origin else None
    return None


def list_name(url: str) -> str:
    """The name of the file in which apt keeps what is at ``url`` (``URItoFileName`` of its source).

    For example, ``http://m.example/d_1/dists/sid/InRelease`` is in
    ``m.example_d%5f1_dists_sid_InRelease``.
    """
    _, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    plain = host.rpartition("@")[2] + slash + path
    quoted = _QUOTED.sub(lambda match: f"%{ord(match[0]):02x}", plain)
    return quoted.replace("/", "_")
