"""The commit of a revision, opened.

Knows: what is read first of a repository. Must not know: modules, what is in a commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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

    with ExitStack() as opened:

        def commit(repository: Repository) -> Checkout:
            with ExitStack() as own:
                reader = own.enter_context(CommitReader.opened(git, repository.objects, like))
                name = reader.commit(search.revision)
                opened.push(own.pop_all())
            return Checkout(reader, name, shown(repository.address))

        result = search.first(search.repositories(advance), commit)
        if result is None:
            raise search.error()
        yield result
