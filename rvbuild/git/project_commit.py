"""The project's own repository: what a revision names, and the files of its commit.

Knows: that nothing is checked out, and no hook or filter takes part. Must not know: recipes, locks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from attrs import frozen

from rvbuild.core.errors import SourceError, UsageError
from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import SUBMODULE, TreeEntry, checked
from rvbuild.git.process import Failed, Git
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision

_HINT = "name a commit, a tag or a branch: `git log` and `git branch` list them"


@frozen(kw_only=True)
class ProjectCommit:
    """A commit of the repository that a folder is in.

    Attributes:
        name: What a person called it.
        commit: Its whole name.
        prefix: The folder's path in the repository, with ``/`` at its end; empty for the top.
        git: The user's.
        objects: The repository's objects.
    """

    name: str
    commit: str
    prefix: str
    git: Git
    objects: Path

    @classmethod
    def of(cls, folder: str, name: str, environment: Mapping[str, str]) -> Self:
        """Look a revision up, as git reads it: ``HEAD``, ``v1.2``, ``main~3``, ``origin/main``.

        Raises:
            UsageError: there is none, or no repository, or it may be an option of git's.
            SourceError: git is not installed.
        """
        program = shutil.which("git", path=environment.get("PATH"))
        if program is None:
            msg = "revisions are read with git, which is not installed"
            raise SourceError(msg, where=name, hint="install git")
        if name.startswith("-") or not name.isprintable() or not name:
            msg = "this cannot be the name of a revision"
            raise UsageError(msg, where=name or "''", hint=_HINT)
        git = Git(program, environment)
        prefix = git.look_up(folder, "--show-prefix")
        objects = git.look_up(folder, "--git-path", "objects")
        if prefix is None or objects is None:
            msg = "the project is in no git repository, or git does not read it"
            raise UsageError(msg, where=folder, hint="name two files of locks, or two series")
        commit = git.look_up(folder, "--verify", "--quiet", f"{name}^{{commit}}")
        if not commit and not git.look_up(folder, "--all"):
            msg = "the project's repository has no commit yet"
            raise UsageError(msg, where=name, hint="commit the project, or name two files of locks")
        if not commit:
            msg = "the project's repository has no such revision"
            raise UsageError(msg, where=name, hint=_HINT)
        path = Path(os.path.join(folder, objects))
        return cls(name=name, commit=commit, prefix=prefix, git=git, objects=path)

    def files(self, paths: Sequence[str], most: int) -> dict[str, tuple[TreeEntry, bytes]]:
        """The files and links at or below some paths of the folder, by their paths in it.

        Args:
            paths: The paths; what is not there has no files.
            most: How many bytes each may have.

        Raises:
            SourceError: a file is larger, or the repository does not have it.
            VerificationError: an object is not what its name says.
        """
        repository = Repository(self.name, self.objects)
        revision = Revision(commit=self.commit)
        try:
            with CommitReader.opened(self.git, repository, revision) as reader:
                entries = reader.files(self.commit, [self.prefix + path for path in paths])
            with Objects(self.git, self.objects, self.commit) as blobs:
                return dict(self._read(blobs, entries, most))
        except Failed as error:
            raise SourceError(str(error), where=self.name, hint=error.hint) from error

    def _read(
        self, blobs: Objects, entries: Sequence[TreeEntry], most: int
    ) -> Iterator[tuple[str, tuple[TreeEntry, bytes]]]:
        paths = {entry.object: entry.name for entry in entries if entry.mode != SUBMODULE}
        for name, size in blobs.sizes([*paths]).items():
            if size is None or size > most:
                lacks = "is not in the repository" if size is None else f"is larger than {most}"
                msg = f"{paths[name]} {lacks}"
                raise SourceError(msg, where=self.name, hint="name another revision")
        data = {
            name: checked("blob", content or b"", name)
            for name, content in blobs.read("blob", [*paths])
        }
        for entry in entries:
            path = entry.name.removeprefix(self.prefix)
            yield path, (entry, data.get(entry.object, b""))
