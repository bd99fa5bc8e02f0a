"""A walk through folders of any depth that holds one descriptor at a time.

Knows: how to go down and up again. Must not know: what is done in the folders.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from attrs import define, field

from rvbuild.files.folder import Inode, inode_of, open_folder, set_mode

_LONGEST = 4096
"""Levels of a trail that are followed again; whoever moves folders may do it for ever."""


@define
class _Visit:
    """A folder on the trail: its name in the one above, which inode it is, what is to do in it."""

    name: str
    inode: Inode
    pending: list[str] = field(factory=list)


class Descent:
    """The open folder ``here``, and the trail from ``top`` to it.

    The way up is ``..``: a descriptor for each level would be as many as a tree is deep. If
    something was moved meanwhile, ``..`` is another inode than the trail says, and the walk
    ends there.

    Args:
        top: An open folder; it is duplicated.
        writable: Whether each folder must let its owner list and change it.
    """

    def __init__(self, top: int, *, writable: bool = False) -> None:
        self._writable = writable
        self.here = os.dup(top)
        self._trail = [_Visit("", inode_of(os.fstat(top)))]
        self._allow(top)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.here)

    @property
    def pending(self) -> list[str]:
        """Names of folders in ``here`` that are still to be entered; the caller's to change."""
        return self._trail[-1].pending

    @property
    def is_at_top(self) -> bool:
        return len(self._trail) == 1

    def down(self, name: str) -> None:
        """Enter a folder of ``here``.

        Raises:
            OSError: it is no folder, or nobody may enter it.
        """
        try:
            inner = open_folder(name, self.here)
        except PermissionError:
            if not self._writable:
                raise
            set_mode(name, stat.S_IRWXU, self.here)
            inner = open_folder(name, self.here)
        self._allow(inner)
        self._trail.append(_Visit(name, inode_of(os.fstat(inner))))
        self._move(inner)

    def up(self) -> str:
        """Leave ``here`` for the folder above; its name there.

        Raises:
            OSError: the folder was moved meanwhile.
        """
        left = self._trail.pop()
        outer = open_folder("..", self.here)
        self._move(outer)
        if inode_of(os.fstat(outer)) != self._trail[-1].inode:
            raise OSError(errno.ESTALE, "a folder was moved meanwhile", left.name)
        return left.name

    def again(self, top: int) -> None:
        """After ``up`` failed: go down the trail from ``top`` as far as it leads where it did."""
        trail, self._trail = self._trail, self._trail[:1]
        self._move(os.dup(top))
        for level in trail[1:_LONGEST]:
            try:
                inner = open_folder(level.name, self.here)
            except OSError:
                return
            if inode_of(os.fstat(inner)) != level.inode:
                os.close(inner)
                return
            self._trail.append(level)
            self._move(inner)

    def _move(self, fd: int) -> None:
        os.close(self.here)
        self.here = fd

    def _allow(self, fd: int) -> None:
        mode = os.fstat(fd).st_mode
        if self._writable and mode & stat.S_IRWXU != stat.S_IRWXU:
            with suppress(PermissionError):  # somebody else's, who may have let us in
                os.fchmod(fd, stat.S_IRWXU)
