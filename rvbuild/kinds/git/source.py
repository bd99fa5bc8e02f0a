"""The tree of a commit, by git's own names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from attrs import frozen

from rvbuild.core.canonical import Json
from rvbuild.core.source import Contents, Source


@frozen(kw_only=True)
class GitSource(Source):
    """The tree of one commit; ``paths`` (sorted) keeps only those folders or files.

    ``tree`` is git's own tree object name; ``date`` the committer's time in Unix seconds. ``tag``
    named the commit when the source was locked, if the recipe asked for one.
    """

    kind = "git"
    url: str
    commit: str
    tree: str
    date: int
    paths: tuple[str, ...] = ()
    tag: str = ""

    @property
    def label(self) -> str:
        return f"{self.url.rsplit('/', 1)[-1].removesuffix('.git')}@{self.commit[:8]}"

    @property
    def identity(self) -> Json:
        return {"git": self.tree, "paths": list(self.paths)}

    @property
    def contents(self) -> Contents:
        commit = ("the commit", self.commit), f"tree {self.tree} of {self.date}"
        tag = ("the tag", self.tag, "of", self.url), f"commit {self.commit}"
        return (commit, tag) if self.tag else (commit,)

    @property
    def commit_facts(self) -> Mapping[str, str]:
        moment = dt.datetime.fromtimestamp(self.date, tz=dt.UTC)
        return {
            "commit": self.commit,
            "short": self.commit[:8],
            "date": str(self.date),
            "iso-date": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
