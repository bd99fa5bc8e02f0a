"""Folders of this machine, for development and overrides.

Knows: how a folder becomes a tree, and that it must hold still meanwhile.
Must not know: stores, recipes.

Everything is taken but what is called ``.git``: also what git ignores or does not track yet.
What is on the disk is what is built, as a compiler run by hand would see it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import define, field

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import Malformed, SourceError, WrongContent
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.core.tree import Tree
from rvbuild.kinds.path.source import PathSource
from rvbuild.transfers.sinks import DigestSink

if TYPE_CHECKING:  # overrides need a folder, and no HTTP client
    from rvbuild.transfers.fetch_services import FetchServices

_CHUNK = 1 << 20
_LEFT_OUT = ".git"
_HOLD_STILL = "let the folder be while rvbuild reads it, then run again"
_NO_FOLDER = "put the folder there, or mend the recipe's `path`, which begins at its own folder"

Stamp = tuple[int, int, int, int, int]


def _stamp(status: os.stat_result) -> Stamp:
    """What changes when a file or folder changes."""
    return (
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


class PathFetcher:
    """Fetches ``PathSource`` values, and finds their digest."""

    def fetch(self, source: PathSource, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        both = _Both(into)
        capture(source.path, both, advance)
        root = both.tree.root
        if source.digest and str(root) != source.digest:
            msg = "the folder is not what was locked"
            hint = advise(Remedy.LOCK, ", and let the folder be while rvbuild reads it")
            raise WrongContent(msg, where=source.path, hint=hint)

    def resolve(self, path: str) -> PathSource:
        """The folder with the digest of its tree as it is now.

        Raises:
            SourceError: no such folder, or it cannot be read.
            WrongContent: it changed meanwhile.
            Malformed: it holds what a tree cannot, or is what git keeps, and not what is kept.
        """
        if _is_repository(path):
            msg = "the folder is a git repository without its files"
            hint = advise("name a clone with the files, or, to take the pinned commit out of it, ")
            raise Malformed(msg, where=path, hint=advise(hint, Remedy.MIRROR))
        sink = DigestSink()
        capture(path, sink, no_progress)
        return PathSource(path=path, digest=str(sink.tree.root))


def _is_repository(folder: str) -> bool:
    """Whether it is a bare repository, or the ``.git`` of a clone (gitrepository-layout)."""
    parts = (os.path.join(folder, name) for name in ("objects", "refs"))
    return all(map(os.path.isdir, parts)) and os.path.isfile(os.path.join(folder, "HEAD"))


@define
class _Both:
    """Hands everything on, and keeps the digests."""

    _into: TreeSink
    _digests: DigestSink = field(factory=DigestSink, init=False)

    def directory(self, path: str) -> None:
        self._digests.directory(path)
        self._into.directory(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                size[0] += len(chunk)
                yield chunk

        size = [0]
        sha256 = self._into.file(path, counted(), executable=executable)
        self._digests.known(path, sha256, size[0], executable=executable)
        return sha256

    def symlink(self, path: str, target: str) -> None:
        self._digests.symlink(path, target)
        self._into.symlink(path, target)

    def copy(self, path: str, of: str) -> None:
        self._digests.copy(path, of)
        self._into.copy(path, of)

    @property
    def tree(self) -> Tree:
        return self._digests.tree


def capture(folder: str, into: TreeSink, advance: Advance) -> None:
    """Write all of ``folder`` but ``.git`` into a sink.

    Raises:
        SourceError: no such folder, or something in it cannot be read.
        WrongContent: something changed meanwhile.
        Malformed: something is neither file, folder nor symlink.
    """
    try:
        _Capture(folder, into, advance).run()
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else folder
        msg = f"cannot be read: {error.strerror}"
        hint = hint_for(error.errno, Site.ELSEWHERE) or _HOLD_STILL
        raise SourceError(msg, where=where, hint=hint) from error


class _Capture:
    def __init__(self, folder: str, into: TreeSink, advance: Advance) -> None:
        self._root = folder
        self._into = into
        self._advance = advance
        self._done = 0
        self._folders: list[tuple[str, Stamp]] = []

    def run(self) -> None:
        if not os.path.isdir(self._root):
            msg = "it is no folder" if os.path.exists(self._root) else "no such folder"
            raise SourceError(msg, where=self._root, hint=_NO_FOLDER)
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            here = os.path.join(self._root, prefix)
            self._folders.append((here, _stamp(os.stat(here, follow_symlinks=False))))
            with os.scandir(here) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
            children = [entry for entry in entries if entry.name != _LEFT_OUT]
            waiting += [f"{prefix}{e.name}/" for e in children if self._take(prefix + e.name, e)]
        for path, stamp in self._folders:
            self._unchanged(path, stamp, os.stat(path, follow_symlinks=False))

    def _take(self, path: str, entry: os.DirEntry[str]) -> bool:
        """Take one entry; True for a folder, whose entries come later."""
        if not _is_utf8(path):
            self._refuse(entry.path, "its name is not UTF-8")
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._into.directory(path)
            return True
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(entry.path)
            if not _is_utf8(target):
                self._refuse(entry.path, "its target is not UTF-8")
            self._into.symlink(path, target)
        elif stat.S_ISREG(status.st_mode):
            executable = bool(status.st_mode & 0o100)
            self._into.file(path, self._chunks(entry.path, _stamp(status)), executable=executable)
        else:
            self._refuse(entry.path, "it is no file, folder or symlink")
        return False

    def _refuse(self, path: str, message: str) -> None:
        raise Malformed(message, where=ascii(path)[1:-1], hint="move it out of the folder")

    def _chunks(self, path: str, stamp: Stamp) -> Iterator[bytes]:
        # a FIFO or symlink that took the file's place must neither block nor be followed
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            self._unchanged(path, stamp, os.fstat(descriptor))
            while chunk := file.read(_CHUNK):
                self._done += len(chunk)
                self._advance(self._done, 0)
                yield chunk
            self._unchanged(path, stamp, os.fstat(descriptor))

    def _unchanged(self, path: str, before: Stamp, now: os.stat_result) -> None:
        if _stamp(now) != before:
            msg = "it changed while it was read"
            raise WrongContent(msg, where=path, hint=_HOLD_STILL)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def client(_services: FetchServices) -> PathFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    return PathFetcher()
