"""Commits of git repositories: mirrors, forges' archives, and git itself.

Knows: the order of a commit's transports, and which URLs git may be given.
Must not know: how objects are read, how archives are unpacked.

A repository on this machine (a mirror, or where ``insteadOf`` leads) is read directly, as
objects: neither its configuration nor any hook of it takes part. From elsewhere comes first
the forge's archive, whose git tree name is recomputed, then a clone of depth one.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, Protocol

from attrs import evolve, field, frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.source import LAST_DATE
from rvbuild.git.clone_urls import check_url
from rvbuild.git.fetch_progress import Tell
from rvbuild.git.objects import Commit, is_object_name
from rvbuild.git.process import Failed, Git, Refused, make_bare
from rvbuild.git.repository import objects_folder, read_commit
from rvbuild.kinds.git.git_archive import ForgeArchives
from rvbuild.kinds.git.git_tree import Delivery
from rvbuild.kinds.git.source import GitSource
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import OFFLINE_HINT, OFFLINE_LOCK_HINT, offline_error
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.urls import shown


def _check_names(source: GitSource) -> None:
    for name in (source.commit, source.tree):
        if not is_object_name(name) or len(name) != len(source.commit):
            msg = f"not the full name of a git object: {name!r}"
            raise RecipeError(msg, where=shown(source.url), hint="give all 40 hex digits")


def _check_date(source: GitSource, date: int) -> None:
    if not 0 <= date <= LAST_DATE:
        msg = f"the commit's date is not one of the years 1970 to 9999: {date}"
        hint = "pin another commit: this one was made with a clock that was wrong"
        where = f"{shown(source.url)} {source.commit}"
        raise VerificationError(msg, where=where, hint=hint)


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

    Args:
        mirrors: Asked before the URL itself.
        repositories: Where clones of single commits are kept; on one file system with ``temp``.
        temp: Where they are made.
        environment: The user's; git's own configuration is found through it.
        archives: How forges' archives are had; None: not at all.
        offline: Only what is on this machine.
        stall: Seconds without progress after which git is given up.
        cancellation: Ends a transfer of git's.
    """

    mirrors: Mirrors
    repositories: Path
    temp: Path
    environment: Mapping[str, str] = field(repr=False)
    archives: CommitArchives | None = None
    offline: bool = False
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)

    def fetch(self, source: GitSource, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        check_url(source.url)
        _check_names(source)
        search = _Search(self, source)
        if search.deliver_from_here(into, advance):
            return
        search.need_network(OFFLINE_HINT)
        if search.deliver_from_archive(into, advance):
            return
        search.deliver_from_clone(into, advance)

    def resolve(self, url: str, commit: str, paths: tuple[str, ...] = ()) -> GitSource:
        """Pin a commit: its tree and date.

        Raises:
            RecipeError: the URL or the commit is not one.
            SourceError: the commit could not be had.
            VerificationError: the repository holds other bytes under its name, or a commit with
                a date that no lock can hold.
        """
        check_url(url)
        source = GitSource(url=url, commit=commit, tree=commit, date=0, paths=tuple(sorted(paths)))
        _check_names(source)
        search = _Search(self, source)
        git = search.need_git()
        facts = search.commit_from_here()
        if facts is None:
            search.need_network(OFFLINE_LOCK_HINT)
            facts = read_commit(git, search.clone(no_progress), commit)
        _check_date(source, facts.date)
        return evolve(source, tree=facts.tree, date=facts.date)


class _Search:
    """One commit's way here: what is tried, and what came of it."""

    def __init__(self, settings: GitFetcher, source: GitSource) -> None:
        self._settings = settings
        self._source = source
        self._attempts: list[str] = []
        program = shutil.which("git", path=settings.environment.get("PATH"))
        self._git = (
            Git(program, settings.environment, settings.stall, settings.cancellation)
            if program
            else None
        )
        self._mirrored = settings.mirrors.of(source.url)
        self._effective = self._git.effective_url(source.url) if self._git else source.url

    def _failed(self, address: str, error: Exception) -> None:
        self._attempts.append(f"{shown(address)}: {error}")

    def need_git(self) -> Git:
        if self._git is None:
            self._fail("this source needs git, which is not installed", "install git")
        return self._git

    def need_network(self, advice: Hint) -> None:
        if self._settings.offline:
            hint = advise(advice, ", or ", Remedy.MIRROR, ": a repository of this machine")
            raise offline_error(self._where, hint=hint, details=tuple(self._attempts))

    @property
    def _where(self) -> str:
        return f"{shown(self._source.url)} {self._source.commit}"

    def _fail(self, message: str, hint: Hint) -> NoReturn:
        raise SourceError(message, where=self._where, hint=hint, details=tuple(self._attempts))

    def _here(self) -> Iterator[tuple[str, Path]]:
        """Folders of git objects on this machine that may hold the commit."""
        effective = (self._effective,) if self._effective != self._source.url else ()
        for address in (*self._mirrored, *effective):
            path = local_path(address)
            objects = objects_folder(path) if path else None
            if objects is not None:
                yield address, objects
            elif path is not None:
                self._failed(address, Failed("it is not a git repository"))
        for address in (*self._mirrored, self._source.url):
            clone = self._kept(address)
            if clone.is_dir():
                yield str(clone), clone / "objects"

    def _kept(self, address: str) -> Path:
        name = hashlib.sha256(f"{address}\n{self._source.commit}".encode()).hexdigest()[:40]
        return self._settings.repositories / f"{name}.git"

    def _unusable(self, address: str, objects: Path, error: Exception) -> None:
        """Note it; and throw away a clone of our own, so that the next one is whole."""
        self._failed(address, error)
        if objects.parent.parent == self._settings.repositories:
            shutil.rmtree(objects.parent, ignore_errors=True)

    def commit_from_here(self) -> Commit | None:
        for address, objects in self._here():
            try:
                return read_commit(self.need_git(), objects, self._source.commit)
            except Failed as error:
                self._unusable(address, objects, error)
        return None

    def deliver_from_here(self, into: TreeSink, advance: Advance) -> bool:
        if self._git is None:
            return False
        for address, objects in self._here():
            try:
                Delivery(self._git, self._source).run(objects, into, advance)
            except Failed as error:
                self._unusable(address, objects, error)
            except VerificationError as error:
                self._unusable(address, objects, error)
                raise
            else:
                return True
        return False

    def deliver_from_clone(self, into: TreeSink, advance: Advance) -> None:
        objects = self.clone(advance)
        try:
            Delivery(self.need_git(), self._source).run(objects, into, advance)
        except Failed as error:
            self._unusable(str(objects.parent), objects, error)
            self._fail("the repository gives only a part of the commit", advise(Remedy.MIRROR))

    def deliver_from_archive(self, into: TreeSink, advance: Advance) -> bool:
        archives = self._settings.archives
        if archives is None:
            return False
        for address in archives.addresses(self._effective, self._source.commit):
            try:
                archives.deliver(address, self._source, into, advance)
            except Failed as error:
                self._failed(address, error)
            else:
                return True
        return False

    def clone(self, advance: Advance) -> Path:  # noqa: RET503 - it may end in _fail
        """The commit's objects, from the first address that gives it to git."""
        git = self.need_git()
        for address in (*self._mirrored, self._source.url):
            if local_path(address) is not None:
                continue
            try:
                return self._clone(git, check_url(address), lambda count: advance(count, 0))
            except (Failed, Refused) as error:
                self._failed(address, error)
        self._fail(
            "the commit could not be had from any transport",
            advise("check the URL and the commit, or ", Remedy.MIRROR),
        )

    def _clone(self, git: Git, address: str, tell: Tell) -> Path:
        """Clone into a new folder, which gets its name only when it is whole."""
        clone, temp = self._kept(address), self._settings.temp
        for folder in (clone.parent, temp):
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=temp, prefix="git-") as scratch:
            fresh = Path(scratch) / "repository"
            _fetch_into(git, fresh, address, self._source.commit, tell)
            read_commit(git, fresh / "objects", self._source.commit)
            try:
                fresh.rename(clone)
            except OSError as error:
                if not clone.is_dir():  # else another process was first, with the same objects
                    msg = f"cannot keep the clone: {error.strerror}"
                    raise SourceError(msg, where=str(clone)) from error
        return clone / "objects"


def _fetch_into(git: Git, fresh: Path, address: str, commit: str, tell: Tell) -> None:
    """Fetch the one commit, or everything where the server gives no single commits."""
    make_bare(fresh, commit)
    try:
        git.fetch(fresh, address, [f"+{commit}:refs/rvbuild/pin"], "--depth=1", tell=tell)
    except Refused:
        everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        git.fetch(fresh, address, everything, tell=tell)


def client(services: FetchServices) -> GitFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    return GitFetcher(
        mirrors=services.mirrors,
        repositories=services.tmp / "git",
        temp=services.tmp,
        environment=services.settings.environment,
        archives=ForgeArchives(files=services.files, mirrors=services.mirrors),
        offline=services.settings.offline,
        cancellation=services.cancellation,
    )
