"""The commit of a revision in one repository, opened.

Knows: what is read first of a repository. Must not know: modules, what is in a commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.process import Git
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision
from rvbuild.transfers.urls import shown


@frozen
class Checkout:
    """A commit that can be read, and where it came from (fit for messages)."""

    reader: CommitReader
    commit: str
    address: str


@contextmanager
def checkout(git: Git, repository: Repository, revision: Revision) -> Iterator[Checkout]:
    """The commit of a revision.

    Raises:
        Failed: the repository does not have it.
    """
    with CommitReader.opened(git, repository, revision) as reader:
        yield Checkout(reader, reader.commit(revision), shown(repository.address))
