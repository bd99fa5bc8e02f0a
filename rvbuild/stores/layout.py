"""Where things are in a store's folder. The format's home is ``cache/README.md``.

Knows: names, modes, the one timestamp, and how to get there without going through a link.
Must not know: what the things mean.
"""

from __future__ import annotations

import os
import secrets
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import MissingObject, StoreError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.folder import WrongKind, open_folder
from rvbuild.files.way import entered

PLAIN, EXECUTABLE, FOLDER = 0o444, 0o555, 0o755

REPAIR = advise(Remedy.REPAIR, ", then build again")


def missing_blob(path: str) -> MissingObject:
    """The error of a blob that is not at its place."""
    return _missing("blob", path)


def missing_tree(path: str) -> MissingObject:
    """The error of a tree whose mark is not at its place."""
    return _missing("tree", path)


def _missing(what: str, path: str) -> MissingObject:
    return MissingObject(f"the store lacks a {what} that it should have", where=path, hint=REPAIR)


def store_error(error: OSError, path: str, doing: str = "write") -> StoreError:
    """What a failed system call means to a person."""
    if isinstance(error, WrongKind):
        where = error.path if os.path.isabs(error.path) else path
        return StoreError(f"the store is damaged: {error.problem}", where=where, hint=REPAIR)
    reason = error.strerror or str(error)
    hint = hint_for(error.errno, Site.STORE)
    return StoreError(f"cannot {doing} the store: {reason}", where=path, hint=hint)


@contextmanager
def guarded(path: str, doing: str = "write") -> Iterator[None]:
    """Turn an OSError of the body into a StoreError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise store_error(error, path, doing) from error


@frozen
class Layout:
    """The paths of a store in ``root``, an absolute path, and the open folder ``fd`` there.

    Paths are for people, for mounts and for results' links. Whatever is read, made or removed
    in the store is reached from ``fd``, one folder after the other, none of which may be a link
    (``above``): so nothing outside of the store is touched, whatever lies in it.
    """

    root: str
    fd: int
    cas: str = field(init=False)
    exec: str = field(init=False)
    trees: str = field(init=False)
    views: str = field(init=False)
    roots: str = field(init=False)
    locks: str = field(init=False)
    tmp: str = field(init=False)
    damaged: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in ("cas", "exec", "trees", "views", "roots", "locks", "tmp", "damaged"):
            object.__setattr__(self, name, f"{self.root}/{name}")
        weakref.finalize(self, os.close, self.fd)

    @classmethod
    def at(cls, path: str) -> Layout:
        """The layout of what is at ``path``, an empty folder if nothing was there.

        Raises:
            StoreError: the folder cannot be made, or is a link.
        """
        root = os.path.abspath(path)
        with guarded(root):
            _make_way(root)
            return cls(root, _opened(root))

    def make_folders(self) -> None:
        """Make the folders that every store has. What is in their place is left alone."""
        for name in ("cas", "exec", "trees", "roots", "locks", "tmp"):
            with suppress(FileExistsError):
                os.mkdir(name, FOLDER, dir_fd=self.fd)

    @contextmanager
    def above(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that holds ``path``, a path of the store, and the name there.

        Raises:
            FileNotFoundError: a folder on the way is missing; ``make`` makes it.
            WrongKind: something on the way is no folder.
        """
        *folders, name = path[len(self.root) + 1 :].split("/")
        with entered(self.fd, folders, path=self.root, make=FOLDER if make else None) as at:
            yield at, name

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """The open folder ``path`` of the store.

        Raises:
            FileNotFoundError: it is missing.
            WrongKind: it is something else, or something on the way is no folder.
        """
        with self.above(f"{path}/") as (at, _):
            yield at

    def blob(self, digest: str, *, executable: bool = False) -> str:
        """Path of a blob, or of its executable twin."""
        return f"{self.exec if executable else self.cas}/{digest[:2]}/{digest}"

    def tree(self, digest: str) -> str:
        """Path of a ready-to-mount tree; its ``Tree`` message is at ``….tree``."""
        return f"{self.trees}/{digest[:2]}/{digest}"

    def view(self, digest: str) -> str:
        """Path of a tree's copy for people; its mark is at ``….view``."""
        return f"{self.views}/{digest[:2]}/{digest}"

    def record(self, kind: str, name: str, *, accelerated: bool) -> str:
        """Path of a record; ``kind`` is ``ac``, ``realisations`` or ``failed``."""
        above = f"{self.root}/accelerated" if accelerated else self.root
        return f"{above}/{kind}/{name[:2]}/{name}"

    def temporary(self) -> str:
        """A new path below ``tmp/``."""
        return f"{self.tmp}/{secrets.token_hex(12)}"


def _make_way(path: str) -> None:
    """Make a folder and those above it; nobody else may write them, whatever the umask."""
    if os.path.isdir(path):
        return
    _make_way(os.path.dirname(path))
    try:
        os.mkdir(path, FOLDER)
    except FileExistsError:
        pass  # another process was faster, or it is for the opening to tell
    except FileNotFoundError as error:  # what is above it is there
        msg = "no folder can be made there"
        raise StoreError(msg, where=path, hint=advise(Remedy.STORE)) from error


def _opened(root: str) -> int:
    try:
        return open_folder(root)
    except WrongKind as error:
        msg = f"the store's folder is something else: {error.problem}"
        hint = advise(Remedy.STORE.of("the folder itself"), ", not a link that leads there")
        raise StoreError(msg, where=root, hint=hint) from error
