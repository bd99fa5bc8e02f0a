"""The folder of one step: its ``/build`` and ``/tmp``, made before and removed after.

Knows: files. Must not know: actions, sandboxes, stores.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import SandboxError, StoreError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.executors.identity import Identity
from rvbuild.files.folder import open_file, open_folder, path_of
from rvbuild.files.removal import remove_tree
from rvbuild.files.timestamp import EPOCH

EMPTY = "empty"
"""A folder of a step that nothing is put into."""

_CHUNK = 64 << 20  # bytes between two questions whether it is still wanted
_REFUSALS = frozenset((errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOVERFLOW, errno.ENOTSUP))
_GIVE_TO_NOBODY = advise(
    Remedy.STORE.of("a store on a local file system of this machine"),
    "; in a container, give root CAP_CHOWN and the ids; or run rvbuild as an ordinary user",
)


@frozen
class StepFolder:
    """An open folder, which only its owner can enter (a setuid file in it is out of reach).

    Whoever has a folder above it may rename that, or put a link in its place, at any moment. So
    root reaches what is in it through ``reach``, which leads to the very folder. ``path`` is for
    people.

    Example: ``StepFolder("/s/tmp/step-1", 7, 8, "/proc/42/fd/8/.")``, with /s/tmp open as 7.
    """

    path: str
    above: int
    here: int
    reach: str

    def remove(self, wanted: Callable[[], None]) -> None:
        """Remove it with all below, and close it; ``wanted`` as for ``remove_tree``.

        Raises:
            OSError: something could not be removed.
        """
        try:
            remove_tree(os.path.basename(self.path), self.above, wanted=wanted)
        finally:
            self.close()

    def close(self) -> None:
        """Close it, and leave it where it is."""
        os.close(self.here)
        os.close(self.above)


def make(parent: str, owner: Identity | None = None) -> StepFolder:
    """A new folder of a step.

    Args:
        parent: Where it is made.
        owner: Whose it is, if not this user's.

    Raises:
        SandboxError: it could not be given to its owner.
        StoreError: it could not be made.
    """
    try:
        os.makedirs(parent, 0o755, exist_ok=True)
        above = open_folder(parent)
        try:
            return _make(parent, above, owner)
        except BaseException:
            os.close(above)
            raise
    except OSError as error:
        msg = f"could not make a step's folder: {error.strerror}"
        hint = hint_for(error.errno, Site.STORE)
        details = tuple(getattr(error, "__notes__", ()))
        raise StoreError(msg, where=parent, hint=hint, details=details) from error


def _make(parent: str, above: int, owner: Identity | None) -> StepFolder:
    name = _new(above)
    path = os.path.join(parent, name)
    here = _opened(name, above)
    try:
        _fill(here, owner)
    except BaseException as error:
        if isinstance(error, SandboxError):
            error.where = path
        os.close(here)
        try:
            remove_tree(name, above)
        except OSError as other:
            error.add_note(f"{path} stays until garbage is collected: {other}")
        raise
    return StepFolder(path, above, here, path_of(here) if owner else path)


def _new(above: int) -> str:
    while True:
        name = f"step-{os.urandom(8).hex()}"
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            continue
        return name


def _opened(name: str, above: int) -> int:
    here = open_folder(name, above)
    if os.fstat(here).st_uid != os.geteuid():
        os.close(here)
        raise OSError(errno.EEXIST, "somebody put another folder in its place", name)
    return here


def _fill(here: int, owner: Identity | None) -> None:
    """Nobody else can enter it: below it, names are as good as descriptors."""
    for path, mode in (("build", 0o755), ("build/out", 0o755), ("tmp", 0o1777), (EMPTY, 0o755)):
        os.mkdir(path, mode, dir_fd=here)
        there = os.stat(path, dir_fd=here, follow_symlinks=False)
        if stat.S_IMODE(there.st_mode) != mode:  # the umask took some of it
            os.chmod(path, mode, dir_fd=here)
        give(path, owner, at=here)
    give(here, owner)


def give(path: str | int, owner: Identity | None, at: int | None = None) -> None:
    """Make ``owner`` whose it is; a link is given itself.

    Raises:
        SandboxError: this process may not, or the file system knows no such id.
        OSError: it is not there.
    """
    if owner is None:
        return
    try:
        if isinstance(path, int):
            os.fchown(path, owner.uid, owner.gid)
        else:
            os.chown(path, owner.uid, owner.gid, dir_fd=at, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        msg = (
            "root's steps run under an id without rights, and files cannot be given to it:"
            f" chown to {owner.uid}: {error.strerror}"
        )
        where = None if isinstance(path, int) else path
        raise SandboxError(msg, where=where, hint=_GIVE_TO_NOBODY) from error


def take_back(here: int) -> None:
    """Make the open folder and all below it this user's again; a link is taken itself.

    Raises:
        OSError: something could not be given.
    """
    uid, gid = os.geteuid(), os.getegid()
    os.fchown(here, uid, gid)
    for _, folders, files, at in os.fwalk(dir_fd=here, onerror=_raise):
        for name in (*folders, *files):
            os.chown(name, uid, gid, dir_fd=at, follow_symlinks=False)


def _raise(error: OSError) -> None:
    raise error


def copy(
    source: str,
    target: str,
    owner: Identity | None = None,
    wanted: Callable[[], None] = lambda: None,
) -> None:
    """A writable copy of a tree of the store at ``target``, which must not exist yet.

    Contents are shared with the original where the file system can (reflinks), never by
    hard links. Modes are 0755 and 0644; times are ``EPOCH``; all is ``owner``'s.

    Args:
        source: The tree.
        target: Where.
        owner: Whose it is, if not this user's.
        wanted: Called now and then; raises, if nobody wants the copy any more.

    Raises:
        SandboxError: it could not be given to its owner.
        StoreError: reading or writing failed.
    """
    try:
        _parents(target, owner)
        _Copy(owner, wanted).tree(source, target)
    except OSError as error:
        msg = f"could not copy an input that the step may write: {error}"
        hint = hint_for(error.errno, Site.STORE)
        raise StoreError(msg, where=source, hint=hint) from error


def _parents(target: str, owner: Identity | None) -> None:
    above = os.path.dirname(target)
    if not os.path.isdir(above):
        _parents(above, owner)
        os.mkdir(above)
        give(above, owner)


@frozen
class _Copy:
    owner: Identity | None
    wanted: Callable[[], None]

    def tree(self, source: str, target: str) -> None:
        made: list[str] = []
        stack = [(source, target)]
        while stack:
            here, there = stack.pop()
            os.mkdir(there)
            made.append(there)
            stack += self._entries(here, there)
        for folder in made:
            self.wanted()
            os.chmod(folder, 0o755)  # noqa: S103 - as 0644 for files: a private folder holds it
            os.utime(folder, (EPOCH, EPOCH))
            give(folder, self.owner)

    def _entries(self, here: str, there: str) -> Iterator[tuple[str, str]]:
        """Copy what is in a folder; its folders are still to do."""
        with os.scandir(here) as entries:
            for entry in entries:
                self.wanted()
                to = os.path.join(there, entry.name)
                if entry.is_symlink():
                    self._link(entry.path, to)
                elif entry.is_dir():
                    yield entry.path, to
                else:
                    self._file(entry.path, to)

    def _link(self, source: str, target: str) -> None:
        os.symlink(os.readlink(source), target)
        os.utime(target, (EPOCH, EPOCH), follow_symlinks=False)
        give(target, self.owner)

    def _file(self, source: str, target: str) -> None:
        reader = open_file(source)
        try:
            writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
            try:
                status = os.fstat(reader)
                copy_bytes(reader, writer, status.st_size, self.wanted)
                os.fchmod(writer, 0o755 if status.st_mode & 0o100 else 0o644)
                os.utime(writer, (EPOCH, EPOCH))
                give(writer, self.owner)
            finally:
                os.close(writer)
        finally:
            os.close(reader)


def copy_bytes(reader: int, writer: int, size: int, wanted: Callable[[], None]) -> None:
    """Copy ``size`` bytes from one open file into another, by reflink where that can be.

    Raises:
        OSError: reading or writing failed, or there are fewer bytes.
    """
    left = size
    try:
        while left and (done := os.copy_file_range(reader, writer, min(left, _CHUNK))):
            left -= done
            wanted()
    except OSError:  # another file system, or one that cannot
        while left and (done := os.sendfile(writer, reader, size - left, min(left, _CHUNK))):
            left -= done
            wanted()
    if left:
        msg = f"file ended {left} bytes early"
        raise OSError(msg)
