"""Which clone a name stood for when it was read.

Knows: how one folder is told from a later one of the same name. Must not know: what is in it.
"""

from __future__ import annotations

import os
import stat

from attrs import frozen

from rvbuild.files.folder import Inode, inode_of


@frozen
class CloneHandle:
    """One clone, which may be gone, or replaced, when somebody comes back to it.

    Attributes:
        name: In the folder of clones.
        inode: Of its folder.
        changed: When that folder was last changed or renamed, in nanoseconds: a file system may
            give the number of an inode that went away to the next one.
    """

    name: str
    inode: Inode
    changed: int

    @classmethod
    def of(cls, name: str, folder: int) -> CloneHandle | None:
        """That of what a name stands for now; None where that is no clone.

        Args:
            name: In the folder of clones; a link is no clone.
            folder: That folder, open.

        Raises:
            OSError: nobody may look there.
        """
        try:
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISDIR(there.st_mode):
            return None
        return cls(name, inode_of(there), there.st_ctime_ns)
