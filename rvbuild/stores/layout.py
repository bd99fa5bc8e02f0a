"""Where things are in a store's folder. The format's home is ``cache/README.md``.

Knows: names, modes, the one timestamp. Must not know: what the things mean.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import field, frozen

from rvbuild.core.errors import StoreError

PLAIN, EXECUTABLE, FOLDER = 0o444, 0o555, 0o755

EPOCH_NS = 315_532_800 * 10**9
"""Modification time of everything in a tree: 1980-01-01T00:00:00Z, the first that a zip
file can hold. A time of writing would be an input that no key knows, and ``make`` looks."""

REPAIR = "run `rvbuild store repair`, then build again"

_HINTS = {
    errno.ENOSPC: "free some space with `rvbuild gc`, or use another folder with --store",
    errno.EDQUOT: "free some space with `rvbuild gc`, or use another folder with --store",
    errno.EROFS: "use a folder that can be written, with --store",
    errno.EACCES: "use a folder that you may write, with --store",
    errno.EPERM: "use a folder that you may write, with --store",
    errno.ENOTDIR: "a file is in the way: move it, or use another folder with --store",
    errno.EEXIST: "a file is in the way: move it, or use another folder with --store",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`), or use fewer --jobs",
    errno.ENFILE: "the machine has too many files open; close some programs",
    errno.EIO: "the disk reports a fault: see `dmesg`, then run `rvbuild store repair`",
    errno.ENOENT: "the store lacks something that it had: run `rvbuild store repair`",
}


def store_error(error: OSError, path: str, doing: str = "write") -> StoreError:
    """What a failed system call means to a person."""
    reason = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0, "run `rvbuild store repair`")
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
    """The paths of a store in ``root``, an absolute path."""

    root: str
    cas: str = field(init=False)
    exec: str = field(init=False)
    trees: str = field(init=False)
    roots: str = field(init=False)
    locks: str = field(init=False)
    tmp: str = field(init=False)
    damaged: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name in ("cas", "exec", "trees", "roots", "locks", "tmp", "damaged"):
            object.__setattr__(self, name, f"{self.root}/{name}")

    @classmethod
    def at(cls, path: str) -> Layout:
        """The layout of the store at ``path``, made if it is not there.

        Raises:
            StoreError: the folder cannot be made.
        """
        layout = cls(os.path.abspath(path))
        with guarded(layout.root):
            for folder in (layout.cas, layout.exec, layout.trees, layout.roots):
                os.makedirs(folder, exist_ok=True)
            os.makedirs(layout.locks, exist_ok=True)
            os.makedirs(layout.tmp, exist_ok=True)
        return layout

    def blob(self, digest: str, *, executable: bool = False) -> str:
        """Path of a blob, or of its executable twin."""
        return f"{self.exec if executable else self.cas}/{digest[:2]}/{digest}"

    def tree(self, digest: str) -> str:
        """Path of a ready-to-mount tree; its ``Tree`` message is at ``….tree``."""
        return f"{self.trees}/{digest[:2]}/{digest}"

    def record(self, kind: str, digest: str, *, accelerated: bool) -> str:
        """Path of a result; ``kind`` is ``ac`` or ``realisations``."""
        above = f"{self.root}/accelerated" if accelerated else self.root
        return f"{above}/{kind}/{digest[:2]}/{digest}"

    def temporary(self) -> str:
        """A new path below ``tmp/``."""
        return f"{self.tmp}/{secrets.token_hex(12)}"


def link(source: str, target: str, at: int | None = None) -> None:
    """Hard link ``source`` (relative to the folder ``at``); makes ``target``'s parent.

    Raises:
        OSError: as link(2).
    """
    try:
        os.link(source, target, src_dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.link(source, target, src_dir_fd=at, follow_symlinks=False)


def rename(source: str, target: str) -> None:
    """Rename; makes ``target``'s parent.

    Raises:
        OSError: as rename(2).
    """
    try:
        os.rename(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(source, target)


def remove_tree(top: str) -> None:
    """Remove a folder and all below; what is not there is no error. Follows no symlink.

    Does not recurse, and moves what is too deep for a path up to ``top``.

    Raises:
        OSError: something could not be removed.
    """
    pending, folders = [top], []
    while pending:
        here = pending.pop()
        folders.append(here)
        for entry in _listed(here):
            path = entry.path
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(path)
                continue
            if len(path) > 2500:
                path = f"{top}/{secrets.token_hex(12)}"
                os.rename(entry.path, path)
            pending.append(path)
    for folder in reversed(folders):
        if os.path.lexists(folder):
            os.rmdir(folder)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except PermissionError:
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            return list(entries)
