"""What a verification finds, and what it keeps on its way.

Knows: kinds of findings. Must not know: how anything is found.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import define, field, frozen

from rvbuild.core.errors import NewerRecord, VerificationError
from rvbuild.core.tree import Tree
from rvbuild.files.folder import Inode, WrongKind, WrongMode
from rvbuild.stores.layout import Layout
from rvbuild.stores.shape import Survey


@frozen(kw_only=True)
class Finding:
    """An object that is not what its name says, or that lacks something.

    ``kind`` is ``damaged`` or ``missing``; ``path`` is absolute. ``mode`` is what its mode must
    be, if nothing else is wrong; ``source`` a file with the content of a missing blob. ``odd``
    says that something of another kind, or of no name of the store's, is in the place.
    """

    kind: str
    path: str
    problem: str
    mode: int = 0
    source: str = ""
    odd: bool = False


Report = Callable[[Finding], None]


@define(kw_only=True)
class Verified:
    """What was looked at, and how many findings there were.

    ``newer`` records are sound, and only a newer rvbuild knows what they refer to.
    """

    blobs: int = 0
    bytes: int = 0
    trees: int = 0
    results: int = 0
    damaged: int = 0
    missing: int = 0
    newer: int = 0


@define(kw_only=True)
class Walk:
    """One verification.

    ``inodes`` maps each file that was hashed to its hash; ``sizes`` has the good blobs;
    ``inodes_of_tree`` are the files of the tree that is compared now.
    """

    layout: Layout
    report: Report
    inodes: dict[Inode, str]
    refuse_newer: bool = False
    done: Verified = field(factory=Verified)
    counted: set[Inode] = field(factory=set)
    executables: set[Inode] = field(factory=set)
    there: Survey = field(default=Survey({}))
    sizes: dict[str, int] = field(factory=dict)
    present: set[str] = field(factory=set)
    inodes_of_tree: set[Inode] = field(factory=set)
    trees: dict[str, Tree] = field(factory=dict)

    def odd(self, error: WrongKind) -> None:
        if isinstance(error, WrongMode):
            self.damaged(error.path, error.kind, error.mode)
            return
        self.done.damaged += 1
        self.report(Finding(kind="damaged", path=error.path, problem=error.problem, odd=True))

    def damaged(self, path: str, problem: str, mode: int = 0) -> None:
        self.done.damaged += 1
        self.report(Finding(kind="damaged", path=path, problem=problem, mode=mode))

    def newer(self, path: str, error: NewerRecord) -> None:
        if self.refuse_newer:
            error.where = path
            raise error
        self.done.newer += 1

    def missing(self, path: str, problem: str, source: str = "") -> None:
        self.done.missing += 1
        self.report(Finding(kind="missing", path=path, problem=problem, source=source))


def mode_at(layout: Layout, path: str) -> int:
    """The mode of what is at a path of the store, which may be a link."""
    with layout.above(path) as (at, name):
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_mode


def reason(error: OSError | VerificationError) -> str:
    """Why something could not be read or believed."""
    return error.message if isinstance(error, VerificationError) else error.strerror or str(error)
