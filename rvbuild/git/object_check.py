"""Whether a repository's objects are what their names say, from a commit down to some of its files.

Knows: how a commit, its trees and its blobs name each other. Must not know: what files are for.
Git's own commands trust their objects' names: `git archive` packs whatever is there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import checked_chunks
from rvbuild.git.process import Git
from rvbuild.git.repository import Repository, commit_of
from rvbuild.git.tree_walk import sizes_of, walk


def check_objects(
    git: Git, repository: Repository, commit: str, folder: str, blobs: Collection[str]
) -> None:
    """Hash a commit, the trees that lead to a folder, those below it, and some blobs.

    Args:
        git: Reads the objects.
        repository: Has them.
        commit: Its whole name.
        folder: Of the commit; empty for its root.
        blobs: Names of blobs; each must be there.

    Raises:
        Failed: one is not there.
        VerificationError: one is another than its name says.
    """
    with Objects(git, repository.objects, commit) as reader:
        root, goal = commit_of(reader, commit).tree, os.fsencode(folder)
        for _tree in walk(reader, root, lambda path: _is_on_the_way(path, goal)):
            pass
        names = sorted(blobs)
        sizes_of(reader, names)
        check_blobs(reader, names)


def check_blobs(reader: Objects, names: Sequence[str]) -> None:
    """Read blobs, and hash them.

    Raises:
        VerificationError: one is another than its name says, or is not there.
    """
    for name, size, chunks in reader.stream(names):
        for _chunk in checked_chunks(chunks, size, name):
            pass


def _is_on_the_way(path: bytes, folder: bytes) -> bool:
    """Whether a folder, which ends with a slash, leads to another, or is that or below it."""
    goal = folder + b"/" if folder else b""
    return path.startswith(goal) or goal.startswith(path)
