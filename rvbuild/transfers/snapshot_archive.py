"""A snapshot archive of Debian, as it was at a moment.

Knows: that it has a folder for each of its runs, `20260830T142311Z/`. Must not know: what is in
one, which archives there are.
"""

from __future__ import annotations

import os
from pathlib import Path

from rvbuild.core.snapshot import is_snapshot
from rvbuild.transfers.addresses import local_path


def archive_at(base: str, moment: str) -> str:
    """The address of a snapshot archive's last run at or before a moment.

    A server redirects from any moment to that run. In a folder of this machine it is looked for:
    of ``20260101T000000Z/`` and ``20260301T000000Z/``, the first is that of February.

    Args:
        base: The archive: a URL, ``file://`` for a folder.
        moment: As `core.snapshot` spells it.
    """
    folder = local_path(base)
    runs = [] if folder is None else [run for run in _names(folder) if run <= moment]
    return f"{base}/{max(filter(is_snapshot, runs), default=moment)}"


def is_moment(address: str) -> bool:
    """Whether an address is of a moment of a snapshot archive: ``…/20260830T142311Z``."""
    return is_snapshot(address.rpartition("/")[2])


def listings(address: str) -> frozenset[str]:
    """The addresses by which the user may list an archive: its own, that of all its moments."""
    folder = address.rpartition("/")[0]
    return frozenset({address, folder} if is_moment(address) else {address})


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # whoever asks for a file in it says so
        return []
