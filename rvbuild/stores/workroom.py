"""A private folder below ``tmp/`` for whoever uses a store for long, as a server does.

Knows: how a collection tells that somebody is in there. Must not know: what is put there.

Whoever has one holds the lock of the folder itself, which ends with the process. It holds no lock
of the store: collections go on beside it, and leave the folder alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from rvbuild.files.folder import opened
from rvbuild.files.removal import remove_tree
from rvbuild.stores.layout import FOLDER, guarded
from rvbuild.stores.local import LocalStore


@contextmanager
def workroom(store: LocalStore) -> Iterator[str]:
    """The path of a new folder, which goes when the context ends.

    Raises:
        StoreError: it could not be made.
    """
    path = store.layout.temporary()
    with ExitStack() as stack:
        with guarded(path), store.locks.shared():  # no collection finds it before it is locked
            tmp, name = stack.enter_context(store.layout.above(path))
            os.mkdir(name, FOLDER, dir_fd=tmp)
            stack.callback(_remove, name, tmp)
            fcntl.flock(stack.enter_context(opened(name, tmp)), fcntl.LOCK_SH)
        yield path


def _remove(name: str, tmp: int) -> None:
    with suppress(OSError):  # what stays, goes with the next collection
        remove_tree(name, tmp)


def is_workroom(name: str, at: int) -> bool:
    """Whether ``name`` in an open folder is one in which somebody is now."""
    with suppress(OSError), opened(name, at) as room:
        try:
            fcntl.flock(room, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
