"""The search for one revision: which repositories may have it, and what came of each.

Knows: the order of a revision's repositories. Must not know: what is read in one, and for what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NoReturn, TypeVar

from attrs import define, field

from rvbuild.core.advice import Advice, Hint, Remedy, advise
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.git.clone_urls import check_url
from rvbuild.git.git_stopped import GitStopped
from rvbuild.git.objects import DamagedObject
from rvbuild.git.process import Failed, Git, Refused
from rvbuild.git.repositories import Repositories
from rvbuild.git.repository import Repository, objects_folder
from rvbuild.git.revision import Revision
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_settings import OFFLINE_HINT, offline_error
from rvbuild.transfers.urls import shown

T = TypeVar("T")


@define
class Search:
    """Looks for a revision of the repository at an address.

    Order:

    1. Repositories of this machine: those that mirrors are, then the one where ``insteadOf`` of the
       user's configuration leads. They are read as they are, as objects and refs: neither their
       configuration nor any hook takes part.
    2. Clones of 3 that were made before.
    3. Clones that are made now: of mirrors elsewhere, then of the address itself, unless
       ``insteadOf`` leads from it to a folder. Not offline.

    A repository that lacks the revision, or a part of it, leads to the next one. Other bytes than
    the right ones end the search, and so does whatever else is said for good. But a clone of an
    earlier run has not the last word, unless offline: then the search goes on. A clone that lacks
    something, or has other bytes, is discarded, unless offline, or after a cancellation: then no
    other one is made. A git that was killed ends the search, and says nothing of a repository. A
    server that gives no answer is given up for other searches, too (`rvbuild.transfers.servers`).

    Example: a mirror is a folder that has every commit of last year. A commit of this year is
    cloned from the address, alone, and the next search for it ends at that clone.

    Attributes:
        settings: The run's.
        url: The address.
        revision: What is looked for.
        offline_hint: What to do where ``settings.offline`` forbids to clone.
        renew: Whether clones of earlier runs do not count, unless offline: where nobody knows
            beforehand what a tag should name.
        git: The user's git; None if it is not installed.
        effective_url: The address after ``insteadOf``.

    Raises:
        RecipeError: the address is none that git may be given.
    """

    settings: Repositories
    url: str = field(converter=check_url)
    revision: Revision
    offline_hint: Advice = OFFLINE_HINT
    renew: bool = False
    git: Git | None = field(init=False)
    effective_url: str = field(init=False)
    _attempts: Attempts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.git = self.settings.git()
        self.effective_url = self.git.effective_url(self.url) if self.git else self.url
        self._attempts = Attempts(f"{shown(self.url)} {self.revision}".rstrip())

    def first(self, among: Iterable[Repository], use: Callable[[Repository], T]) -> T | None:
        """What ``use`` makes of the first repository that has what it needs; None if none has.

        Args:
            among: `here`, `elsewhere`, or `repositories`.
            use: Raises ``Failed`` where something lacks.

        Raises:
            SourceError, VerificationError: what ``use`` says for good, with the repository's name.
            GitStopped: git was killed.
            Interrupted: the run was cancelled.
        """
        for repository in among:
            try:
                return use(repository)
            except GitStopped as error:
                self.settings.cancellation.refuse()
                msg = f"{error.message} while it read {shown(repository.address)}"
                raise GitStopped(msg, where=shown(self.url), hint=error.hint) from error
            except Failed as error:
                self.note(repository.address, error)
                self._discard(repository)
            except (SourceError, VerificationError) as error:
                self.note(repository.address, error)
                last_word = self.settings.offline or not repository.old
                if not last_word or isinstance(error, VerificationError):
                    self._discard(repository)
                if last_word:
                    self._raise(repository, error)
        return None

    def _discard(self, repository: Repository) -> None:
        """Let the next clone take its place, if one can be made.

        Raises:
            Interrupted: the run was cancelled; whatever went wrong may come of that.
        """
        self.settings.cancellation.refuse()
        if not self.settings.offline:
            self.settings.clones.discard(repository)

    def _raise(self, repository: Repository, error: SourceError | VerificationError) -> NoReturn:
        """Raise the error; that of a damaged repository names it, and what to do."""
        if not isinstance(error, DamagedObject):
            raise error
        where, hint = shown(repository.address), self._repair(repository)
        raise DamagedObject(error.message, where=where, hint=hint) from error

    def _repair(self, repository: Repository) -> Hint:
        """What to do about a repository that is damaged."""
        if repository.clone is None:
            return advise("repair it (`git fsck` says what is wrong), or ", Remedy.MIRROR)
        if self.settings.offline:
            return advise(
                "only a run that is not offline makes this clone again: ", self.offline_hint
            )
        return "the clone was removed: run it again"

    def repositories(self, advance: Advance) -> Iterator[Repository]:
        """All of them; see `elsewhere`."""
        return chain(self.here(), self.elsewhere(advance))

    def here(self) -> Iterator[Repository]:
        """Those that are on this machine, if git can read them."""
        if self.git is None:
            self.note(self.url, Failed("without git, nothing on this machine can be read"))
            return
        effective = (self.effective_url,) if self.effective_url != self.url else ()
        for address in (*self.settings.mirrors.of(self.url), *effective):
            path = local_path(address)
            objects = objects_folder(path) if path else None
            if objects is not None:
                yield Repository(address, objects)
            elif path is not None:
                self.note(address, Failed("it is not a git repository"))
        for address in self.remote_addresses():
            clone = self.settings.clones.kept(address, self.revision)
            if clone is not None and (self.settings.offline or not (clone.old and self.renew)):
                yield clone

    def elsewhere(self, advance: Advance) -> Iterator[Repository]:
        """Clones, each made when it is asked for.

        Args:
            advance: Told of the bytes that come; how many there are is not known.

        Raises:
            SourceError: the network is not to be used, git is not installed, or a folder that was
                named as this repository's mirror is no repository.
            RecipeError: a mirror's address is none that git may be given.
        """
        self.refuse_offline()
        self.settings.refuse_no_repository(self.url, self._attempts.lines)
        git = self.need_git()
        for address in map(check_url, self.remote_addresses()):
            try:
                clone = self._clone(git, address, advance)
            except (Failed, Refused) as error:
                self.note(address, error)
            else:
                yield clone

    def _clone(self, git: Git, address: str, advance: Advance) -> Repository:
        """A clone from an address, unless its server or the proxy before it was given up."""

        def make() -> Repository:
            return self.settings.clones.make(
                git, address, self.revision, lambda count: advance(count, 0), renew=self.renew
            )

        return self.settings.ask(git, address, make)

    def remote_addresses(self) -> list[str]:
        """The addresses that are not of this machine, in the order to ask."""
        own = [self.url] if local_path(self.effective_url) is None else []
        mirrors = self.settings.mirrors.of(self.url)
        return [*(address for address in mirrors if local_path(address) is None), *own]

    def note(
        self, address: str, answer: Failed | Refused | SourceError | VerificationError
    ) -> None:
        """What came of an address."""
        hint = None if isinstance(answer, Refused) else answer.hint
        self._attempts.failed(address, str(answer), hint)

    def need_git(self) -> Git:
        """The user's git.

        Raises:
            SourceError: it is not installed.
        """
        if self.git is None:
            msg = "its repository is read with git, which is not installed"
            error = self._attempts.error("install git", msg)
            raise error
        return self.git

    def refuse_offline(self) -> None:
        """See that the network may be used.

        Raises:
            SourceError: it may not.
        """
        if self.settings.offline:
            here = advise(Remedy.MIRROR, ": a repository of this machine")
            hint = advise(self.offline_hint, ", or ", here)
            label, lines = self._attempts.label, tuple(self._attempts.lines)
            raise offline_error(label, hint=hint, details=lines)

    def error(self, message: str = "") -> SourceError | VerificationError:
        """The error of a revision that no repository has; its details have a line for each.

        Args:
            message: What could not be had; by default, the revision.
        """
        kind = "tag" if self.revision.tag else "commit"
        msg = message or f"the {kind} could not be had from any repository"
        hint = advise(f"check the address and the {kind}, or ", Remedy.MIRROR)
        return self._attempts.error(hint, msg)
