"""A private folder below ``tmp/`` where a tree takes shape.

Knows: how it begins and ends. Must not know: what is put there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from rvbuild.stores.layout import EPOCH_NS, FOLDER, Layout, guarded, remove_tree


@frozen(kw_only=True)
class Staging:
    """``at`` is the open folder ``tree`` inside ``path``; ``spare`` is a path for moments.

    ``exact`` says that files and folders get the very mode that they are made with, as
    the process' umask and the folder's access control list allow.
    """

    path: str
    at: int
    exact: bool

    @property
    def tree(self) -> str:
        return f"{self.path}/tree"

    @property
    def spare(self) -> str:
        return f"{self.path}/spare"

    @property
    def message(self) -> str:
        return f"{self.path}/message"

    def make_folder(self, path: str) -> None:
        """A folder of the tree, at a path below its root.

        Raises:
            OSError: the disk could not take it.
        """
        os.mkdir(path, FOLDER, dir_fd=self.at)

    def finish_folder(self, path: str) -> None:
        """Mode and timestamp of a folder in which nothing changes any more."""
        if not self.exact:
            os.chmod(path or ".", FOLDER, dir_fd=self.at)
        os.utime(path or ".", ns=(EPOCH_NS, EPOCH_NS), dir_fd=self.at)

    def make_symlink(self, path: str, target: str) -> None:
        """A symlink of the tree, with the one timestamp."""
        os.symlink(target, path, dir_fd=self.at)
        os.utime(path, ns=(EPOCH_NS, EPOCH_NS), dir_fd=self.at, follow_symlinks=False)


@contextmanager
def staged(layout: Layout) -> Iterator[Staging]:
    """A staging folder that is gone when the context ends.

    Raises:
        StoreError: it could not be made.
    """
    path = layout.temporary()
    try:
        with guarded(path):
            os.makedirs(f"{path}/tree", FOLDER)
            at = os.open(f"{path}/tree", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            made = os.fstat(at)
            exact = stat.S_IMODE(made.st_mode) == FOLDER
            yield Staging(path=path, at=at, exact=exact)
        finally:
            os.close(at)
    finally:
        with guarded(path):
            remove_tree(path)
