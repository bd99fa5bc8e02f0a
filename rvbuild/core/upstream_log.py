"""Commits of a source's upstream, between two that sides have.

Knows: which of them matter to a step. Must not know: git, where a log was read.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from rvbuild.core.errors import RvbuildError
from rvbuild.core.names import SourceRef


@frozen(kw_only=True)
class UpstreamCommit:
    """A commit.

    Attributes:
        commit: Its whole name.
        date: The committer's time, in Unix seconds; None if what it says is none.
        subject: The first line of its message.
        files: The paths that it touches, of those that a step may read (`core.read_paths`); of a
            merge, those that none of its parents has so.
        is_gone: Whether the old side alone has it.
    """

    commit: str
    date: int | None
    subject: str
    files: tuple[str, ...]
    is_gone: bool = False


@frozen(kw_only=True)
class UpstreamLog:
    """The log of one source.

    Attributes:
        source: The name, as both sides have it.
        old: The former commit.
        new: The commit now.
        commits: Those that touch what a step may read, the newest first.
        others: How many do not.
        problem: Why the log could not be read; None if it could.
    """

    source: SourceRef
    old: str
    new: str
    commits: tuple[UpstreamCommit, ...] = ()
    others: int = 0
    problem: RvbuildError | None = None

    @classmethod
    def of(
        cls, source: SourceRef, ends: tuple[str, str], commits: Iterable[UpstreamCommit]
    ) -> UpstreamLog:
        """The log, without the commits that touch nothing that is read.

        Args:
            source: The name.
            ends: The former commit, and the one now.
            commits: All between them.
        """
        listed = tuple(commits)
        read = tuple(each for each in listed if each.files)
        old, new = ends
        others = len(listed) - len(read)
        return cls(source=source, old=old, new=new, commits=read, others=others)
