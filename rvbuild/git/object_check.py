"""Whether a repository's objects are what their names say, from a commit down to some of its files.

Knows: how a commit, its trees and its blobs name each other. Must not know: what files are for.
Git's own commands trust their objects' names: `git archive` packs whatever is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rvbuild.git.objects import FOLDER, TreeEntry, checked, checked_chunks, parse_tree
from rvbuild.git.process import Failed, Git, Objects
from rvbuild.git.repository import Repository, commit_of


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
        level = [("", commit_of(reader, commit).tree)]
        while level:
            level = [
                (f"{prefix}{entry.name}/", entry.object)
                for prefix, entries in _trees(reader, level)
                for entry in entries
                if entry.mode == FOLDER and _is_on_the_way(f"{prefix}{entry.name}/", folder)
            ]
        for name, size, chunks in reader.stream(sorted(blobs)):
            for _chunk in checked_chunks(chunks, size, name):
                pass


def _is_on_the_way(path: str, folder: str) -> bool:
    """Whether a folder, which ends with a slash, leads to another, or is that or below it."""
    goal = f"{folder}/" if folder else ""
    return path.startswith(goal) or goal.startswith(path)


def _trees(
    reader: Objects, level: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, list[TreeEntry]]]:
    read = reader.read("tree", [name for _, name in level])
    for (prefix, _), (name, data) in zip(level, read, strict=True):
        if data is None:
            msg = f"it lacks the tree {name}"
            raise Failed(msg)
        yield prefix, list(parse_tree(checked("tree", data, name), name))
