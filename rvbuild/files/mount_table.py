"""Mounts: what is mounted where, and whether two folders are of one mount.

Knows: what the kernel tells of mounts. Must not know: why somebody asks.

A device's number does not tell: a bind mount of the same disk has the same one.
"""

from __future__ import annotations

import errno
import os
import re

_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounts_below(fd: int) -> list[str]:
    """The paths, sorted and from the open folder ``fd`` on, at which something is mounted.

    Raises:
        OSError: the kernel does not tell.
    """
    top = os.readlink(f"/proc/self/fd/{fd}").rstrip("/") + "/"
    return sorted({place.removeprefix(top) for place in _places() if place.startswith(top)})


def mount_point(path: str) -> str:
    """Where the mount that has a path is mounted; ``/`` where the kernel does not tell.

    Example: with a volume at ``/data``, that of ``/data/store/x`` is ``/data``.
    """
    real = os.path.join(os.path.realpath(path), "")
    try:
        above = [place for place in _places() if real.startswith(os.path.join(place, ""))]
    except OSError:
        above = []
    return max(above, key=len, default="/")


def _places() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [_ESCAPE.sub(_letter, line.split(" ")[4]) for line in file]


def mount_of(fd: int) -> str:
    """The number of the mount that an open folder is of.

    Raises:
        OSError: the kernel does not tell.
    """
    with open(f"/proc/self/fdinfo/{fd}", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "mnt_id":
                return value.strip()
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), file.name)


def _letter(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 8))
