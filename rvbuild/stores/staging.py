"""A private folder below ``tmp/`` where a tree takes shape.

Knows: how it begins and ends. Must not know: what is put there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from attrs import frozen

from rvbuild.files.folder import open_folder
from rvbuild.files.removal import remove_tree
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.layout import FOLDER, Layout, guarded

TREE, MESSAGE, SPARE, LEFT = "tree", "message", "spare", "left"
"""Names in a staging folder: the tree, its ``Tree`` message, a name for moments, and a folder
that a crash left in the tree's place."""


@frozen(kw_only=True)
class Staging:
    """``base`` is the open folder at ``path``, and ``at`` the open folder ``tree`` in it.

    ``exact`` says that files and folders get the very mode that they are made with, as
    the process' umask and the folder's access control list allow.
    """

    path: str
    base: int
    at: int
    exact: bool

    @property
    def tree(self) -> str:
        return f"{self.path}/{TREE}"

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
    with ExitStack() as stack:
        with guarded(path):
            tmp, name = stack.enter_context(layout.above(path))
            stack.callback(_remove, path, name, tmp)
            base = _made(name, FOLDER, tmp, stack)
            at = _made(TREE, FOLDER, base, stack)
            made = os.fstat(at)
        exact = stat.S_IMODE(made.st_mode) == FOLDER
        yield Staging(path=path, base=base, at=at, exact=exact)


def _made(name: str, mode: int, at: int, stack: ExitStack) -> int:
    os.mkdir(name, mode, dir_fd=at)
    made = open_folder(name, at)
    stack.callback(os.close, made)
    return made


def _remove(path: str, name: str, tmp: int) -> None:
    with guarded(path):
        remove_tree(name, tmp)
