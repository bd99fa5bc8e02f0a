"""Whether a repository's objects are what their names say, from a commit down to some of its files.

Knows: how a commit, its trees and its blobs name each other. Must not know: what files are for.
Git's own commands trust their objects' names: `git archive` packs whatever is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence

from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import checked, checked_chunks
from rvbuild.git.process import Failed, Git
from rvbuild.git.repository import Repository, commit_of

_FOLDER = (b"40000", b"040000")


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
        level = [(b"", commit_of(reader, commit).tree)]
        while level:
            level = [
                (path, tree)
                for prefix, data in _trees(reader, level)
                for path, tree in _folders(prefix, data, len(commit) // 2)
                if _is_on_the_way(path, os.fsencode(folder))
            ]
        names = sorted(blobs)
        missing = [name for name, size in reader.sizes(names).items() if size is None]
        if missing:
            msg = f"it lacks {len(missing)} of {len(names)} files"
            raise Failed(msg)
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


def _trees(reader: Objects, level: Sequence[tuple[bytes, str]]) -> Iterator[tuple[bytes, bytes]]:
    """The content of trees, each with its path."""
    read = reader.read("tree", [name for _, name in level])
    for (prefix, _), (name, data) in zip(level, read, strict=True):
        if data is None:
            msg = f"it lacks the tree {name}"
            raise Failed(msg)
        yield prefix, checked("tree", data, name)


def _folders(prefix: bytes, data: bytes, width: int) -> Iterator[tuple[bytes, str]]:
    """The folders in a tree: paths and names. Others may be called what no tree of ours may be."""
    entry = re.compile(rb"(\d+) ([^\0]+)\0(.{%d})" % width, re.DOTALL)
    for mode, name, tree in entry.findall(data):
        if mode in _FOLDER:
            yield prefix + name + b"/", tree.hex()
