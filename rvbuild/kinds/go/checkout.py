"""The commit of a revision, opened.

Knows: what is read first of a repository. Must not know: modules, what is in a commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from rvbuild.core.ports.callbacks import Advance
from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.repository import Repository
from rvbuild.git.search import Search
from rvbuild.transfers.urls import shown


@frozen
class Checkout:
    """A commit that can be read, and where it came from (fit for messages)."""

    reader: CommitReader
    commit: str
    address: str


@contextmanager
def checkout(search: Search, advance: Advance) -> Iterator[Checkout]:
    """The commit of the revision that is looked for.

    Args:
        search: Of one revision.
        advance: Told of the bytes of a clone.

    Raises:
        SourceError: no repository has it; ``details`` has what came of each.
    """
    git, like = search.need_git(), search.revision.like

    def commit(repository: Repository) -> tuple[Repository, str]:
        with CommitReader.opened(git, repository.objects, like) as reader:
            return repository, reader.commit(search.revision)

    result = search.first(search.repositories(advance), commit)
    if result is None:
        raise search.error()
    repository, name = result
    with CommitReader.opened(git, repository.objects, like) as reader:
        yield Checkout(reader, name, shown(repository.address))
