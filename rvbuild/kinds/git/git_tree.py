"""A commit's tree out of a folder of git objects, every byte checked by its name.

Knows: what a pinned commit must look like, and how its tree goes into a sink.
Must not know: how the objects got here.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import Malformed, RecipeError, WrongContent
from rvbuild.core.paths import MAX_TARGET
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.git.object_check import check_blobs
from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import (
    EXECUTABLE,
    FOLDER,
    SUBMODULE,
    SYMLINK,
    Commit,
    TreeEntry,
    checked_chunks,
    tree_entries,
)
from rvbuild.git.process import Git
from rvbuild.git.repository import Repository, commit_of
from rvbuild.git.tree_walk import sizes_of, walk
from rvbuild.kinds.git.git_sinks import keeps
from rvbuild.kinds.git.source import GitSource
from rvbuild.transfers.urls import shown

Placed = list[tuple[str, TreeEntry]]


@frozen
class Delivery:
    """One commit's tree, wanted in a sink."""

    git: Git
    source: GitSource

    def run(self, repository: Repository, into: TreeSink, advance: Advance) -> None:
        """Write the tree; nothing is written before every object is known to be there.

        Of a clone of an earlier run every byte is read and checked beforehand, so that another
        repository can still be taken. Of any other one, what is wrong shows on the way.

        Raises:
            Failed: the commit or a part of it is not there.
            VerificationError: an object is not what its name says, or the tree is another.
        """
        with Objects(self.git, repository.objects, self.source.commit) as reader:
            self._check_commit(commit_of(reader, self.source.commit))
            places = self._walk(reader)
            self._check_paths([path for path, _ in places])
            leaves = [(path, entry) for path, entry in places if entry.mode != SUBMODULE]
            sizes = sizes_of(reader, [entry.object for _, entry in leaves])
            total = sum(sizes[entry.object] for _, entry in leaves)
            if repository.old:
                check_blobs(reader, sorted({entry.object for _, entry in leaves}))
            for path, entry in places:
                if entry.mode == SUBMODULE:
                    into.directory(path)
            self._write(reader, leaves, into, advance, total)

    def _check_commit(self, commit: Commit) -> None:
        if commit.tree != self.source.tree:
            msg = f"commit {self.source.commit} has the tree {commit.tree}, not {self.source.tree}"
            raise WrongContent(
                msg,
                where=shown(self.source.url),
                hint=advise("the lock is wrong here: ", Remedy.LOCK),
            )

    def _walk(self, reader: Objects) -> Placed:
        """Every file, symlink and submodule at or below the wanted paths."""
        places: Placed = []
        for prefix, entries in walk(reader, self.source.tree, self._enters):
            folder = prefix.decode()  # its names were checked before `walk` went there
            for entry in tree_entries(entries):
                path = folder + entry.name
                if entry.mode != FOLDER and keeps(self.source.paths, path):
                    places.append((path, entry))
        return places

    def _enters(self, folder: bytes) -> bool:
        path, paths = folder.decode(), self.source.paths
        return keeps(paths, path[:-1]) or any(root.startswith(path) for root in paths)

    def _check_paths(self, names: Iterable[str]) -> None:
        remaining = set(self.source.paths)
        for path in names:
            remaining -= {root for root in remaining if keeps((root,), path)}
            if not remaining:
                return
        if remaining:
            raise nothing_at(self.source, remaining)

    def _write(
        self, reader: Objects, leaves: Placed, into: TreeSink, advance: Advance, total: int
    ) -> None:
        count = 0
        streamed = reader.stream([entry.object for _, entry in leaves])
        for (path, entry), (name, size, chunks) in zip(leaves, streamed, strict=True):
            verified = checked_chunks(chunks, size, name)
            if entry.mode == SYMLINK:
                into.symlink(path, _target(path, size, verified))
            else:
                into.file(path, verified, executable=entry.mode == EXECUTABLE)
            count += size
            advance(count, total)


def check_paths(git: Git, repository: Repository, source: GitSource) -> None:
    """See that a commit has something at each of the wanted paths.

    Raises:
        Failed: a part of the commit that says so is not there.
        RecipeError: it has not.
        VerificationError: an object is not what its name says.
    """
    remaining = {path.encode() for path in source.paths}
    if not remaining:
        return

    def leads(folder: bytes) -> bool:
        return any(path.startswith(folder) for path in remaining)

    with Objects(git, repository.objects, source.commit) as reader:
        for prefix, entries in walk(reader, source.tree, leads):
            remaining -= {prefix + entry.name for entry in entries}
    if remaining:
        raise nothing_at(source, map(bytes.decode, remaining))


def nothing_at(source: GitSource, paths: Iterable[str]) -> RecipeError:
    """The error of paths that a commit does not have."""
    msg = f"the commit has nothing at {', '.join(sorted(paths))}"
    return RecipeError(msg, where=source.label, hint="correct the recipe's paths")


def _target(path: str, size: int, chunks: Iterable[bytes]) -> str:
    if size > MAX_TARGET:
        msg = f"symlink target of {size} bytes at {path}"
        raise Malformed(msg)
    try:
        return b"".join(chunks).decode()
    except UnicodeDecodeError as error:
        msg = f"symlink target is not UTF-8 at {path}"
        raise Malformed(msg) from error
