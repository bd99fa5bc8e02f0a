"""Commits of git repositories: out of repositories, and out of forges' archives.

Knows: the order of a commit's transports. Must not know: where repositories are, how objects are
read, how archives are unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from attrs import evolve, frozen

from rvbuild.core.advice import advise
from rvbuild.core.errors import Malformed, RecipeError, UsageError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.read_paths import may_be_read
from rvbuild.core.source import LAST_DATE
from rvbuild.core.upstream_log import UpstreamCommit
from rvbuild.core.upstream_revision import UpstreamRevision
from rvbuild.git.clone_urls import check_url
from rvbuild.git.commit_log import read_log
from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.objects import is_object_name
from rvbuild.git.process import Failed
from rvbuild.git.repositories import Repositories
from rvbuild.git.repository import Repository, read_commit
from rvbuild.git.revision import Revision
from rvbuild.git.search import Search
from rvbuild.git.upstream_refs import RefReader, UpstreamRefs
from rvbuild.kinds.git.git_archive import ForgeArchives
from rvbuild.kinds.git.git_tree import Delivery, check_paths
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec, is_tag
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import OFFLINE_LOCK_HINT
from rvbuild.transfers.urls import shown

_LEAST = 7
_BEGIN = rf"[0-9a-f]{{{_LEAST},64}}"
"""How much of a commit's name a person has to say, as git shows it."""

_LOG_HINT = advise("read the log once online: its commits are kept for later")


def _check_names(source: GitSource) -> None:
    for name in (source.commit, source.tree):
        if not is_object_name(name) or len(name) != len(source.commit):
            msg = f"not the full name of a git object: {name!r}"
            raise RecipeError(msg, where=shown(source.url), hint="give all 40 hex digits")


def _check_revision(url: str, revision: Revision) -> None:
    if revision.tag:
        if not is_tag(revision.tag):
            msg = f"not the name of a tag: {revision.tag!r}"
            raise RecipeError(msg, where=shown(url), hint="without refs/tags/, such as v1.2.3")
    elif not is_object_name(revision.commit):
        msg = f"not the full name of a git object: {revision.commit!r}"
        raise RecipeError(msg, where=shown(url), hint="give all 40 hex digits")


def _meant(url: str, name: str) -> list[Revision]:
    """What a person may mean by the name of a revision, the likelier first.

    Raises:
        UsageError: there is no such name.
    """
    is_hex = re.fullmatch(_BEGIN, name, re.IGNORECASE)
    meant = [Revision(commit=name.lower())] if is_hex else []
    if is_tag(name) and not is_object_name(name.lower()):
        meant.append(Revision(tag=name))
    if not meant:
        msg = f"this can be the name of neither a tag nor a commit: {name!r}"
        hint = f"a tag without refs/tags/, or at least {_LEAST} digits of a commit's name"
        raise UsageError(msg, where=shown(url), hint=hint)
    return meant


def _check_date(url: str, commit: str, date: int) -> None:
    if not 0 <= date <= LAST_DATE:
        msg = f"the commit's date is not one of the years 1970 to 9999: {date}"
        hint = "pin another commit: this one was made with a clock that was wrong"
        where = f"{shown(url)} {commit}"
        raise Malformed(msg, where=where, hint=hint)


def _read_of(commit: UpstreamCommit, paths: tuple[str, ...]) -> UpstreamCommit:
    """A commit with those of its files that a step may read of a source with these paths."""
    return evolve(commit, files=tuple(each for each in commit.files if may_be_read(each, paths)))


def _named_commit(search: Search, repository: Repository) -> str:
    """The whole name of the commit that is looked for."""
    with CommitReader.opened(search.need_git(), repository, search.revision) as reader:
        return reader.commit(search.revision)


class CommitArchives(Protocol):
    """Delivers commits out of forges' archives."""

    def addresses(self, url: str, commit: str) -> tuple[str, ...]:
        """Where an archive of the commit may be, in the order to try."""
        ...

    def deliver(self, address: str, source: GitSource, into: TreeSink, advance: Advance) -> None:
        """Write the commit's tree.

        Raises:
            Failed: no archive, or one with another tree; nothing was written into the sink.
        """
        ...


@frozen(kw_only=True)
class GitFetcher:
    """Fetches ``GitSource`` values, and resolves commits for the lock.

    A commit that is on this machine is read there. Else the forge's archive comes first, whose git
    tree name is recomputed, then a clone.

    Attributes:
        repositories: Where commits are looked for.
        archives: How forges' archives are had; None: not at all.
    """

    repositories: Repositories
    archives: CommitArchives | None = None

    def fetch(self, source: GitSource, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        check_url(source.url)
        _check_names(source)
        search = Search(self.repositories, source.url, Revision(commit=source.commit))

        def deliver(repository: Repository) -> bool:
            Delivery(search.need_git(), source).run(repository, into, advance)
            return True

        if search.first(search.here(), deliver):
            return
        search.refuse_offline()
        if self._deliver_archive(search, source, into, advance):
            return
        if not search.first(search.elsewhere(advance), deliver):
            raise search.error()

    def resolve(
        self, url: str, commit: str, paths: tuple[str, ...] = (), tag: str = ""
    ) -> GitSource:
        """Pin a commit, or with an empty one what a tag names now: its tree and date.

        Raises:
            RecipeError: the URL or the revision is not one, or the commit lacks one of the paths.
            SourceError: the commit could not be had.
            VerificationError: the repository holds other bytes under its name, or a commit with
                a date that no lock can hold.
        """
        revision = Revision(tag=tag, commit=commit)
        _check_revision(check_url(url), revision)
        search = Search(self.repositories, url, revision, OFFLINE_LOCK_HINT, renew=bool(tag))

        def read(repository: Repository) -> GitSource:
            git, name = search.need_git(), revision.commit
            if revision.tag:
                with CommitReader.opened(git, repository, revision) as reader:
                    name = reader.commit(revision)
            facts = read_commit(git, repository.objects, name)
            _check_date(url, name, facts.date)
            source = GitSource(
                url=url,
                commit=name,
                tag=tag,
                tree=facts.tree,
                date=facts.date,
                paths=tuple(sorted(paths)),
            )
            check_paths(git, repository, source)
            return source

        source = search.first(search.repositories(no_progress), read)
        if source is None:
            raise search.error()
        return source

    def revision(self, spec: GitSpec, name: str) -> UpstreamRevision:
        """See `rvbuild.kinds.modules.RevisionClient`; what is on this machine is asked first."""
        url = check_url(spec.url)
        searches = [
            Search(self.repositories, url, each, OFFLINE_LOCK_HINT, renew=bool(each.tag))
            for each in _meant(url, name)
        ]
        for places in (Search.here, lambda search: search.elsewhere(no_progress)):
            for search in searches:
                commit = search.first(places(search), partial(_named_commit, search))
                if commit is not None:
                    return UpstreamRevision(commit, search.revision.tag)
        raise searches[0].error()

    def log(self, old: GitSource, new: GitSource) -> tuple[UpstreamCommit, ...]:
        """The commits that only one of two sources has, with the files that a step may read.

        Raises:
            RecipeError: the address, or a commit's name, is none.
            SourceError: no repository has all commits between them.
        """
        for source in (old, new):
            check_url(source.url)
            _check_names(source)
        revision = Revision(commit=new.commit, since=old.commit)
        search = Search(self.repositories, new.url, revision, _LOG_HINT)

        def read(repository: Repository) -> tuple[UpstreamCommit, ...]:
            return read_log(search.need_git(), repository, old.commit, new.commit)

        commits = search.first(search.repositories(no_progress), read)
        if commits is None:
            raise search.error()
        return tuple(_read_of(each, new.paths) for each in commits)

    def refs(self, url: str) -> UpstreamRefs:
        """What a repository has; see `RefReader`."""
        return RefReader(self.repositories).refs(url)

    def moments(self, refs: UpstreamRefs, tags: Sequence[str]) -> Mapping[str, int]:
        """When tags were made; see `RefReader`."""
        return RefReader(self.repositories).moments(refs, tags)

    def commits_behind(self, refs: UpstreamRefs, commit: str) -> int | None:
        """How far a commit is behind; see `RefReader`."""
        return RefReader(self.repositories).commits_behind(refs, commit)

    def _deliver_archive(
        self, search: Search, source: GitSource, into: TreeSink, advance: Advance
    ) -> bool:
        """Whether a forge's archive of the commit was the pinned tree, and is in the sink."""
        if self.archives is None:
            return False
        for address in self.archives.addresses(search.effective_url, source.commit):
            try:
                self.archives.deliver(address, source, into, advance)
            except Failed as error:
                search.note(address, error)
            else:
                return True
        return False


def client(services: FetchServices) -> GitFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    return GitFetcher(
        repositories=Repositories.of(services),
        archives=ForgeArchives(files=services.files, mirrors=services.mirrors),
    )
