"""A repository's folder: where its objects are, and what is read in it without trusting it.

Knows: the layout of repositories (gitrepository-layout). Must not know: how objects got there.
"""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

from rvbuild.git.clone_handle import CloneHandle
from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import Commit, checked, parse_commit
from rvbuild.git.process import Failed, Git

_LINE = 4096  # bytes of a path of this machine: PATH_MAX


@frozen
class Repository:
    """A repository on this machine.

    Attributes:
        address: Where it came from.
        objects: Its folder of objects.
        old: Whether it is a clone that an earlier run made: a disk may have damaged it, and a tag
            may be of another commit by now. So it is not the last word.
        clone: Which clone of `Clones` it is; None for what is somebody else's.
    """

    address: str
    objects: Path
    old: bool = False
    clone: CloneHandle | None = None

    @property
    def folder(self) -> Path:
        """The folder of ``HEAD``, ``refs`` and ``objects``."""
        return self.objects.parent


def objects_folder(repository: Path) -> Path | None:
    """The ``objects`` folder of a repository: bare, with a work tree, or a linked work tree."""
    git = repository / ".git"
    if os.path.isfile(git):  # unlike Path's, it says no to whatever cannot be a path
        git = repository / _line(git).removeprefix("gitdir:").strip()
    for base in (repository, git):
        common = base / "commondir"
        if os.path.isfile(common):
            base = base / _line(common)  # noqa: PLW2901 - follows it
        if os.path.isdir(base / "objects") and os.path.isfile(base / "HEAD"):
            return base / "objects"
    return None


def _line(file: Path) -> str:
    """The path in one of git's small files, whatever its encoding is; empty if there is none."""
    try:
        with file.open("rb") as opened:
            text = os.fsdecode(opened.read(_LINE)).strip()
    except OSError:
        return ""
    return "" if "\0" in text else text


def read_commit(git: Git, objects: Path, commit: str) -> Commit:
    """The commit's tree and date.

    Raises:
        Failed: it is not there.
        VerificationError: its bytes are other ones.
    """
    with Objects(git, objects, commit) as reader:
        return commit_of(reader, commit)


def commit_of(reader: Objects, commit: str) -> Commit:
    """The commit that ``reader`` has under a name; see `read_commit`."""
    ((_, data),) = reader.read("commit", [commit])
    if data is None:
        msg = f"it has no commit {commit}"
        raise Failed(msg)
    return parse_commit(checked("commit", data, commit))
