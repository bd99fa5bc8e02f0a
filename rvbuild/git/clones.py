"""Clones of single revisions, made once and kept for others.

Knows: what a whole clone is. Must not know: mirrors, what is read in it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import SourceError
from rvbuild.git.fetch_progress import Tell
from rvbuild.git.process import Failed, Git, Refused, make_bare
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision

_OTHER_HASH = "mismatched algorithms"
"""What git says of a repository with SHA-256 names to one with SHA-1 (git's fetch-pack.c)."""


@frozen(kw_only=True)
class Clones:
    """A folder of bare repositories, each of one revision from one address.

    Attributes:
        folder: On one file system with ``temp``.
        temp: Where they are made.
    """

    folder: Path
    temp: Path
    _fresh: set[Path] = field(factory=set, init=False, repr=False)
    _making: dict[Path, threading.Lock] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def kept(self, address: str, revision: Revision) -> Repository | None:
        """The clone that was made before; None if there is none."""
        clone = self._path(address, revision)
        if not clone.is_dir():
            return None
        return Repository(str(clone), clone / "objects", old=clone not in self._fresh)

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
            SourceError: the clone cannot be kept.
        """
        with self._lock:
            making = self._making.setdefault(self._path(address, revision), threading.Lock())
        with making:
            kept = self.kept(address, revision)
            if kept and not (renew and kept.old):
                return kept
            return self._make(git, address, revision, tell)

    def advice(self, repository: Repository) -> Hint:
        """What to do about a repository that is damaged."""
        if repository.folder.parent == self.folder:
            return "the clone was removed: try again"
        return advise("repair it (`git fsck` says what is wrong), or ", Remedy.MIRROR)

    def discard(self, repository: Repository) -> None:
        """Remove it if it is one of these, so that the next one is whole."""
        clone = repository.folder
        if clone.parent == self.folder:
            self._fresh.discard(clone)
            shutil.rmtree(clone, ignore_errors=True)

    def _path(self, address: str, revision: Revision) -> Path:
        name = hashlib.sha256(f"{address}\n{revision}".encode()).hexdigest()[:40]
        return self.folder / f"{name}.git"

    def _make(self, git: Git, address: str, revision: Revision, tell: Tell) -> Repository:
        """Clone into a new folder, which gets its name only when it is whole."""
        clone = self._path(address, revision)
        for folder in (self.folder, self.temp):
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.temp, prefix="git-") as scratch:
            fresh = _cloned(git, Path(scratch), address, revision, tell)
            shutil.rmtree(clone, ignore_errors=True)  # an older one
            self._fresh.add(clone)
            try:
                fresh.rename(clone)
            except OSError as error:
                if not clone.is_dir():  # else another process was first
                    msg = f"cannot keep the clone: {error.strerror}"
                    raise SourceError(msg, where=str(clone)) from error
        return Repository(address, clone / "objects")


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
