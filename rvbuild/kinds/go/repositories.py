"""The git repositories of modules: mirrors, folders where ``insteadOf`` leads, and clones.

Knows: the order of a repository's transports. Must not know: modules, what is in a commit.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import SourceError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.git.clone_urls import check_url
from rvbuild.git.fetch_progress import Tell
from rvbuild.git.process import Failed, Git, Refused, make_bare
from rvbuild.git.repository import objects_folder
from rvbuild.git.revisions import Revisions, ref_of
from rvbuild.kinds.go.module_path import Revision
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_settings import OFFLINE_HINT, offline_error
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.once import Once
from rvbuild.transfers.urls import shown

_SHA1_LIKE = "0" * 40


@frozen
class Checkout:
    """A commit that can be read, and where it came from (fit for messages)."""

    revisions: Revisions
    commit: str
    address: str


@frozen(kw_only=True)
class Repositories:
    """Finds revisions in repositories.

    A repository of this machine, which a mirror is or where ``insteadOf`` leads, is read as it is,
    as objects and refs: neither its configuration nor any hook takes part. From elsewhere a tag is
    cloned alone. For a pseudo-version all branches and tags are, since servers do not look up the
    beginning of a commit's name.

    Args:
        mirrors: Asked before the address itself.
        clones: The folder of clones; on one file system with ``temp``.
        temp: Where they are made.
        environment: The user's; git's configuration and credentials are found through it.
        offline: Only what is on this machine.
        stall: Seconds without progress after which git is given up.
        cancellation: Ends a transfer of git's.
    """

    mirrors: Mirrors
    clones: Path
    temp: Path
    environment: Mapping[str, str] = field(repr=False)
    offline: bool = False
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)
    _made: dict[str, Once[Path]] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    @contextmanager
    def checkout(self, url: str, revision: Revision, advance: Advance) -> Iterator[Checkout]:
        """The commit of a revision; ``advance`` is told of the bytes of a clone.

        Raises:
            SourceError: no transport has it; ``details`` has what each said.
            RecipeError: the address is none that git may be given.
        """
        git = self._git(url)
        attempts: list[str] = []
        clone = partial(self._clone, git, revision, lambda count: advance(count, 0))
        for address, repository in self._candidates(git, check_url(url), clone, attempts):
            objects = objects_folder(repository)
            if objects is None:
                attempts.append(f"{shown(address)}: it is not a git repository")
                continue
            with Revisions.opened(git, objects, _SHA1_LIKE) as revisions:
                try:
                    commit = _commit(revisions, objects.parent, revision)
                except Failed as error:
                    attempts.append(f"{shown(address)}: {error}")
                    continue
                yield Checkout(revisions, commit, shown(address))
                return
        msg = f"its git repository has no revision {revision} that can be had"
        hint = advise("check the version, or ", Remedy.MIRROR, " with a repository that has it")
        if self.offline:
            hint = advise(OFFLINE_HINT, ", or ", Remedy.MIRROR, ": a repository of this machine")
        raise SourceError(msg, where=shown(url), hint=hint, details=tuple(attempts))

    def mirrored_prefix(self, path: str) -> str:
        """The longest prefix of a path of which a mirror is a repository here; empty if none is."""
        sources = {
            source.removesuffix(".git").rstrip("/")
            for source, target in self.mirrors.rules
            if (folder := local_path(target)) and objects_folder(folder)
        }
        parts = path.split("/")
        prefixes = ("/".join(parts[:count]) for count in range(len(parts), 1, -1))
        return next((prefix for prefix in prefixes if f"https://{prefix}" in sources), "")

    def _git(self, url: str) -> Git:
        program = shutil.which("git", path=self.environment.get("PATH"))
        if program is None:
            msg = "a module that comes from its repository needs git, which is not installed"
            hint = "install git, or let GOPROXY name a proxy that has the module"
            raise SourceError(msg, where=shown(url), hint=hint)
        return Git(program, self.environment, self.stall, self.cancellation)

    def _candidates(
        self, git: Git, url: str, clone: Callable[[str], Path], attempts: list[str]
    ) -> Iterator[tuple[str, Path]]:
        """Repositories on this machine, the clones being made when they are asked for."""
        effective = git.effective_url(url)
        for address in (*self.mirrors.of(url), effective):
            path = local_path(address)
            if path is not None:
                yield address, path
        remote = [*self.mirrors.of(url), *([url] if local_path(effective) is None else [])]
        for address in remote:
            if local_path(address) is None:
                try:
                    yield address, clone(check_url(address))
                except (Failed, Refused, SourceError) as error:
                    attempts.append(f"{shown(address)}: {error}")

    def _clone(self, git: Git, revision: Revision, tell: Tell, address: str) -> Path:
        """The clone that has a revision, made once and kept for others."""
        name = hashlib.sha256(f"go\n{address}\n{revision}".encode()).hexdigest()[:40]
        clone = self.clones / f"{name}.git"
        if clone.is_dir():
            return clone
        if self.offline:
            raise offline_error(shown(address))
        with self._lock:
            fetch = partial(_fetch, git, address, revision.tag, tell)
            once = self._made.setdefault(name, Once(partial(self._make, fetch, clone)))
        return once()

    def _make(self, fetch: Callable[[Path], None], clone: Path) -> Path:
        """Clone into a new folder, which gets its name only when it is whole."""
        for folder in (clone.parent, self.temp):
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.temp, prefix="git-") as scratch:
            fresh = Path(scratch, "repository")
            make_bare(fresh, _SHA1_LIKE)
            fetch(fresh)
            try:
                fresh.rename(clone)
            except OSError as error:
                if not clone.is_dir():  # else another process was first
                    msg = f"cannot keep the clone: {error.strerror}"
                    raise SourceError(msg, where=str(clone)) from error
        return clone


def _fetch(git: Git, address: str, tag: str, tell: Tell, fresh: Path) -> None:
    """Fetch one tag, or everything if there is none, into a new repository."""
    everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    if not tag:
        git.fetch(fresh, address, everything, tell=tell)
        return
    ref = f"+refs/tags/{tag}:refs/tags/{tag}"
    try:
        git.fetch(fresh, address, [ref], "--depth=1", tell=tell)
    except Refused:
        git.fetch(fresh, address, [ref], tell=tell)


def _commit(revisions: Revisions, repository: Path, revision: Revision) -> str:
    """The whole name of a revision's commit.

    Raises:
        Failed: the repository does not have it.
    """
    if not revision.tag:
        return revisions.commit(revision.commit)
    name = ref_of(repository, f"refs/tags/{revision.tag}")
    if name is None:
        msg = f"it has no tag {revision.tag}"
        raise Failed(msg)
    return revisions.commit(name)
