"""Clones of single revisions, made once and kept for others.

Knows: what a whole clone is. Must not know: mirrors, what is read in it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import CloneError, StoreError
from rvbuild.core.system_fault import OF_ONE_PATH, Site, hint_for
from rvbuild.files.folder import WrongKind, opened, path_of
from rvbuild.files.removal import remove_tree
from rvbuild.files.swap import exchange, put
from rvbuild.git.clone_handle import CloneHandle
from rvbuild.git.fetch_progress import Tell
from rvbuild.git.process import Failed, Git, Refused, make_bare
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision

_OTHER_HASH = "mismatched algorithms"
"""What git says of a repository with SHA-256 names to one with SHA-1 (git's fetch-pack.c)."""
_IN_THE_WAY = advise("move it away, or ", Remedy.STORE)


@frozen(kw_only=True)
class Clones:
    """A folder of bare repositories, each of one revision from one address.

    Neither of the two folders may be a link, so that nothing elsewhere is read or removed. One
    clone takes the place of another in one step. Who reads the older one meanwhile finds the newer
    one's objects; if that lacks something, the search goes on, as with every old clone.

    What is discarded is known by its handle, since another thread may have put a newer one there:

    1. A clone of this run is removed: it can be had again from where it came.
    2. A clone of an earlier run is not looked at any more, and stays until `make` has put another
       in its place: nobody knows whether it can be had again.

    Example: ten runs have used a clone, and the disk damages a file in it. The next run makes
    another. If the server is away, the damaged one stays, with all that is still whole in it.

    Attributes:
        folder: On one file system with ``temp``.
        temp: Where they are made.
    """

    folder: Path
    temp: Path
    _fresh: set[CloneHandle] = field(factory=set, init=False, repr=False)
    _discarded: set[CloneHandle] = field(factory=set, init=False, repr=False)
    _locks: dict[str, threading.Lock] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def kept(self, address: str, revision: Revision) -> Repository | None:
        """The clone that was made before; None if there is none, or it was discarded.

        Raises:
            StoreError: the folder cannot be looked at, or is none.
        """
        name = _name(address, revision)
        with self._guarded("look for", name), suppress(FileNotFoundError), self._opened() as folder:
            return self._repository(str(self.folder / name), CloneHandle.of(name, folder))
        return None

    def make(
        self, git: Git, address: str, revision: Revision, tell: Tell, *, renew: bool = False
    ) -> Repository:
        """A clone of the revision; threads that want the same one wait for it.

        Where the server gives everything at once, the revision may not be among it.

        Args:
            git: The user's.
            address: Where it is cloned from.
            revision: What is cloned.
            tell: Told of the bytes that come.
            renew: Whether it takes the place of a clone that an earlier run made.

        Raises:
            Failed, Refused: the address does not give it.
            StoreError: the clone cannot be kept.
        """
        name = _name(address, revision)
        with self._lock_of(name):
            kept = self.kept(address, revision)
            if kept and not (renew and kept.old):
                return kept
            with self._guarded("keep", name):
                handle = self._make(git, address, revision, tell)
            self._fresh.add(handle)
            return Repository(address, self.folder / name / "objects", clone=handle)

    def discard(self, repository: Repository) -> None:
        """Let nobody find it any more, if it is one of these, so that the next one is whole.

        What has taken its place meanwhile stays.

        Raises:
            StoreError: it cannot be removed.
        """
        handle = repository.clone
        if handle is None:
            return
        if repository.old:
            self._discarded.add(handle)
            return
        with (
            self._lock_of(handle.name),
            self._guarded("remove", handle.name),
            suppress(FileNotFoundError),
            self._opened() as folder,
        ):
            if CloneHandle.of(handle.name, folder) == handle:
                remove_tree(handle.name, folder)

    def _lock_of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    @contextmanager
    def _guarded(self, doing: str, name: str) -> Iterator[None]:
        """Turn a call of the system that failed into an error that names the clone.

        Raises:
            CloneError: it is the clone, or the folder of clones, that is not as it must be.
            StoreError: nothing at all can be kept: the disk is full, or has a fault.
        """
        try:
            yield
        except WrongKind as error:
            msg = f"cannot {doing} the clone: {error.problem}"
            raise CloneError(msg, where=error.path, hint=_IN_THE_WAY) from error
        except OSError as error:
            msg = f"cannot {doing} the clone: {error.strerror or error}"
            hint = hint_for(error.errno, Site.STORE)
            kind = CloneError if error.errno in OF_ONE_PATH else StoreError
            raise kind(msg, where=str(self.folder / name), hint=hint) from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The open folder of clones, whose parent is no link either."""
        with opened(str(self.temp)), opened(str(self.folder)) as folder:
            yield folder

    def _repository(self, path: str, handle: CloneHandle | None) -> Repository | None:
        if handle is None or handle in self._discarded:
            return None
        return Repository(path, Path(path, "objects"), old=handle not in self._fresh, clone=handle)

    def _make(self, git: Git, address: str, revision: Revision, tell: Tell) -> CloneHandle:
        """Clone into a new folder, which gets its name only when it is whole."""
        name = _name(address, revision)
        _make_folder(self.temp)
        with opened(str(self.temp)) as temp, _scratch(temp) as scratch:
            _make_folder(self.folder)
            fresh = _cloned(git, scratch, address, revision, tell)
            with self._opened() as folder:
                target = os.path.join(path_of(folder), name)
                if not put(str(fresh), target):
                    exchange(str(fresh), target)  # what was there goes with the scratch folder
                handle = CloneHandle.of(name, folder)
        if handle is None:
            msg, where = "cannot keep the clone: somebody has removed it", str(self.folder / name)
            raise CloneError(msg, where=where, hint="run it again")
        return handle


def _name(address: str, revision: Revision) -> str:
    """Another one for a tag than for a commit of the same text: neither clone has both.

    That of a history has both its ends in its name: a later end has more commits.
    """
    wanted = revision.ref if revision.tag else revision.commit
    wanted = f"{revision.since}..{wanted}" if revision.since else wanted
    return hashlib.sha256(f"{address}\n{wanted}".encode()).hexdigest()[:40] + ".git"


def _make_folder(path: Path) -> None:
    """Make a folder if nothing is there; whoever opens it sees what is there instead."""
    with suppress(FileExistsError):
        path.mkdir(parents=True)


@contextmanager
def _scratch(temp: int) -> Iterator[Path]:
    """A new folder in an open one, for what is made; it is removed, with what is in it then."""
    name = f"git-{secrets.token_hex(8)}"
    os.mkdir(name, dir_fd=temp)
    try:
        yield Path(path_of(temp), name)
    finally:
        with suppress(OSError):  # `gc` removes what is left
            remove_tree(name, temp)


def _cloned(git: Git, scratch: Path, address: str, revision: Revision, tell: Tell) -> Path:
    """A new repository, whose objects have names of the form that the server's have."""
    *first, last = revision.likes
    for like in first:
        fresh = scratch / str(len(like))
        make_bare(fresh, like)
        try:
            _fetch(git, fresh, address, revision, tell)
        except Failed as error:
            if _OTHER_HASH not in str(error):
                raise
        else:
            return fresh
    fresh = scratch / str(len(last))
    make_bare(fresh, last)
    _fetch(git, fresh, address, revision, tell)
    return fresh


def _fetch(git: Git, into: Path, address: str, revision: Revision, tell: Tell) -> None:
    *refusable, last = revision.fetches
    for fetch in refusable:
        try:
            git.fetch(into, address, fetch.refs, *fetch.options, tell=tell)
        except Refused:
            continue
        return
    git.fetch(into, address, last.refs, *last.options, tell=tell)
