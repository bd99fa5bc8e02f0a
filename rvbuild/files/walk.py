"""Everything below a folder, however deep it is.

Knows: that a tree of folders may be deeper than Python's stack. Must not know: what for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator


def below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Each entry below ``folder``, a folder before what is in it; follows no symlink.

    Raises:
        OSError: a folder could not be read, or lies deeper than a path may be long.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
