"""What is mounted inside a store: it is not the store's, so nothing in it may go.

Knows: in which of its folders a store removes. Must not know: who removes, and why.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from rvbuild.files.mount_table import mount_of, mounts_below
from rvbuild.stores.layout import Layout

_OTHERS = ("accelerators", "memo")
"""In these only builds remove, each what it has made: they may be on disks of their own."""


def refuse_mounts(layout: Layout) -> None:
    """See, before the first removal, that nothing is mounted where something may go.

    Raises:
        OSError: something is, or nobody can tell.
    """
    for place in mounts_below(layout.fd):
        if place.partition("/")[0] not in _OTHERS:
            _refuse(f"{layout.root}/{place}")


@contextmanager
def own_folder(layout: Layout, path: str) -> Iterator[int]:
    """The open folder ``path`` of the store, in which nothing was mounted meanwhile.

    Raises:
        OSError: it is of another mount, or as ``Layout.folder``.
    """
    with layout.folder(path) as at:
        if mount_of(at) != mount_of(layout.fd):
            _refuse(path)
        yield at


def _refuse(path: str) -> None:
    raise OSError(errno.EXDEV, "something is mounted there", path)
