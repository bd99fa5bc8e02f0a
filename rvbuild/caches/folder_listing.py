"""What is in the folder of a cache: its files, and what others put there.

Knows: names of what is in a cache, and kinds of files. Must not know: what files hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from rvbuild.caches.names import is_name
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.files.descent import Descent

ABSENT = (FileNotFoundError, NotADirectoryError)
_DISK = "lost+found"
"""The folder that the file system itself makes at its top."""

Listed = tuple[str, list["os.DirEntry[str]"]]


def entries_below(top: int, prefix: str) -> Iterator[CacheEntry]:
    """Whatever has the name of something in a cache; others' files are passed over."""
    descent = Descent(top)
    try:
        for at, listed in _folders(descent, prefix):
            named = [each for each in listed if is_name(at + each.name)]
            descent.pending.extend(each.name for each in named if _is_folder(each))
            for each in named:
                if each.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        there = each.stat(follow_symlinks=False)
                        yield CacheEntry(at + each.name, there.st_size, there.st_mtime)
    finally:
        descent.close()


def strangers_below(top: int, prefix: str) -> Iterator[str]:
    """Whatever else is there; see `rvbuild.core.ports.cache.CacheEntries`."""
    descent = Descent(top)
    try:
        for at, listed in _folders(descent, prefix):
            if at != prefix and not listed:
                yield at
            for each in listed:
                path = at + each.name
                if path.startswith(".") or path == _DISK:
                    continue
                if not _is_folder(each):
                    if not (is_name(path) and each.is_file(follow_symlinks=False)):
                        yield path
                elif os.access(each.name, os.R_OK | os.X_OK, dir_fd=descent.here):
                    descent.pending.append(each.name)
                else:
                    yield path
    finally:
        descent.close()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _folders(descent: Descent, prefix: str) -> Iterator[Listed]:
    """The path of each folder, ending with ``/``, and what is in it.

    Whoever asks puts into ``descent.pending`` which of its folders are entered.
    """
    trail = [prefix]
    yield prefix, _listed(descent)
    while descent.pending or not descent.is_at_top:
        if not descent.pending:
            descent.up()
            trail.pop()
            continue
        name = descent.pending.pop()
        with suppress(*ABSENT):  # somebody removed it meanwhile
            descent.down(name)
            trail.append(f"{trail[-1]}{name}/")
            yield trail[-1], _listed(descent)


def _listed(descent: Descent) -> list[os.DirEntry[str]]:
    with os.scandir(descent.here) as listed:
        return list(listed)
