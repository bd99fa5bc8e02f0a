"""Several files of a folder that change together, whatever ends the process.

Knows: in which order what is written, and what the next process does about what one left. Must
not know: what is in the files.

All that is beside the files is in a folder of the folder, the journal, which is there during a
change only. Git does not see it: it has a ``.gitignore`` that says ``*``.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from attrs import frozen

from rvbuild.files.change import ChangedFile, ChangeState, Disturbed, HalfDone, content_digest
from rvbuild.files.folder import WrongKind, inode_of, open_file, open_folder, opened
from rvbuild.files.replacement import replace_file, replacing
from rvbuild.files.way import entered

_RECORD, _LOCK, _IGNORE = "record", "lock", ".gitignore"
_KEPT = (_IGNORE, _LOCK)
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL))


@frozen
class NewContent:
    """A file that is to have other bytes.

    Attributes:
        path: From the folder on, with ``/`` between the names; through no link.
        old: What was read there; None: there is no such file.
        new: What is to be there.
    """

    path: str
    old: bytes | None
    new: bytes


@frozen
class Journal:
    """The change of a folder's files, of which there is one at a time. Use `changing`.

    Order of `put`:

    1. The new bytes of each file are on the disk, in files ``0``, ``1``, … of the journal.
    2. The file ``record`` has the path and both digests of each. From when it has its name on, the
       change has happened.
    3. Each of the new files gets its place.
    4. The record goes, then everything else.

    If 3 fails for the first file, the record goes at once: nothing has changed.

    A process that ends before 2 has changed nothing: the next one removes what it left. One that
    ends later has changed all: the next one goes on with 3. But what a person did to a file in
    between is not overwritten: each is looked at once more before 2 (nothing changes) and before it
    gets its place (the rest waits).

    Where there are no locks two may change it at once: that something waits no more is an error.

    Attributes:
        path: The folder's.
        name: The journal's, in it.
        top: The folder, open.
        folder: The journal, open.
    """

    path: str
    name: str
    top: int
    folder: int

    def put(self, changes: Sequence[NewContent]) -> None:
        """Change all of the files, or none.

        Raises:
            Disturbed: one is not what it was.
            OSError: something could not be written; before the record, nothing has changed.
        """
        entries = [
            ChangedFile(each.path, content_digest(each.old), content_digest(each.new) or "")
            for each in changes
        ]
        for entry in entries:
            if self._digest_at(entry) != entry.old:
                raise Disturbed(os.path.join(self.path, entry.path))
        try:
            for number, change in enumerate(changes):
                mode = self._mode(change.path)
                replace_file(str(number), change.new, at=self.folder, mode=mode)
            for number, entry in enumerate(entries):  # that took a while
                self._refuse_edited(number, entry)
            text = json.dumps([[each.path, each.old, each.new] for each in entries])
            replace_file(_RECORD, text.encode(), at=self.folder)
        except BaseException:  # an interrupt, too
            self._forget()
            raise
        waiting = dict(enumerate(entries))
        try:
            self._end(waiting)
        except HalfDone as error:
            if not self._is_taken_back(waiting):
                raise
            raise error.__cause__ or error from None

    def settle(self) -> list[str]:
        """Put in place what an ended process has recorded, or remove what it left.

        The paths of the files that got their place here.

        Raises:
            HalfDone: it cannot be put in place.
        """
        entries = dict(enumerate(self._recorded()))
        try:
            waiting = {each: entry for each, entry in entries.items() if self._waits(each)}
            for number, entry in entries.items():
                (self._refuse_edited if number in waiting else self._refuse_back)(number, entry)
        except OSError as error:
            raise HalfDone(str(error.filename or self.path), error, self._state(entries)) from error
        self._end(waiting)
        return [entry.path for entry in waiting.values()]

    @property
    def half_done(self) -> ChangeState | None:
        """How far a recorded change is of which a file has not got its place."""
        entries = dict(enumerate(self._recorded()))
        return self._state(entries) if any(map(self._waits, entries)) else None

    def _end(self, waiting: Mapping[int, ChangedFile]) -> None:
        """Put what waits of a recorded change in place.

        Raises:
            HalfDone: that failed, or one waits no more; the next process tries again.
        """
        try:
            for number, entry in waiting.items():
                self._place(number, entry)
        except OSError as error:
            raise HalfDone(str(error.filename or self.path), error, self._state(waiting)) from error
        self._forget()

    def _is_taken_back(self, waiting: Mapping[int, ChangedFile]) -> bool:
        """Whether a change of which no file has its place is recorded no more, durably."""
        try:
            if self._state(waiting).new or not all(map(self._waits, waiting)):
                return False
            os.unlink(_RECORD, dir_fd=self.folder)
            os.fsync(self.folder)
        except OSError:
            return False
        self._forget()
        return True

    def _state(self, entries: Mapping[int, ChangedFile]) -> ChangeState:
        old: list[str] = []
        new: list[str] = []
        edited: list[str] = []
        for number, entry in entries.items():
            there: str | None = ""  # what is no file has no digest
            with suppress(OSError):
                there = self._digest_at(entry)
            if there == entry.old:
                old.append(entry.path)
            else:
                is_new = there == entry.new or not self._waits(number)
                (new if is_new else edited).append(entry.path)
        return ChangeState(old=tuple(old), new=tuple(new), edited=tuple(edited))

    def _recorded(self) -> list[ChangedFile]:
        """The files of the record; none, if there is none.

        Raises:
            HalfDone: it is not one that was written here.
        """
        try:
            data = self._read(_RECORD, self.folder)
        except FileNotFoundError:
            return []
        try:
            return [ChangedFile.parse(*each) for each in json.loads(data)]
        except (ValueError, TypeError, RecursionError) as error:
            path = os.path.join(self.path, self.name, _RECORD)
            raise HalfDone(path, "this is no record of one") from error

    def _refuse_edited(self, number: int, entry: ChangedFile) -> None:
        """See that a file waits with its right bytes, and that its place has the old ones or these.

        Raises:
            Disturbed: it is not so.
        """
        if self._digest_of(str(number), self.folder) != entry.new:
            raise Disturbed(os.path.join(self.path, self.name, str(number)))
        if self._digest_at(entry) not in {entry.old, entry.new}:
            raise Disturbed(os.path.join(self.path, entry.path))

    def _refuse_back(self, _: int, entry: ChangedFile) -> None:
        """See that a file which had its place is not as before: the change would be half.

        Raises:
            Disturbed: it is.
        """
        with suppress(FileNotFoundError, WrongKind):  # somebody removed its folder: the last word
            if self._digest_at(entry) == entry.old != entry.new:
                raise Disturbed(os.path.join(self.path, entry.path))

    def _waits(self, number: int) -> bool:
        return str(number) in os.listdir(self.folder)

    def _place(self, number: int, entry: ChangedFile) -> None:
        *folders, name = entry.path.split("/")
        with self._named(entry.path), entered(self.top, folders, path=self.path) as at:
            self._refuse_edited(number, entry)
            self._rename(str(number), name, at, entry)
            os.fsync(at)

    def _rename(self, waiting: str, name: str, at: int, entry: ChangedFile) -> None:
        try:
            os.replace(waiting, name, src_dir_fd=self.folder, dst_dir_fd=at)
        except OSError as error:
            if error.errno != errno.EXDEV:  # a folder of it may be a mount
                raise
            mine = f"{name}.{entry.new[:16]}"  # of this change alone: a killed run may have left it
            with suppress(FileNotFoundError):
                os.unlink(mine, dir_fd=at)
            mode = stat.S_IMODE(os.stat(waiting, dir_fd=self.folder).st_mode)
            with replacing(name, mine, at=at, staging=at, mode=mode) as file:
                file.write(self._read(waiting, self.folder))
            os.unlink(waiting, dir_fd=self.folder)

    def _digest_at(self, entry: ChangedFile) -> str | None:
        """The SHA-256 of what is at a file's place; None if nothing is.

        Raises:
            WrongKind: it is no file, or a link is on the way.
        """
        *folders, name = entry.path.split("/")
        with self._named(entry.path), entered(self.top, folders, path=self.path) as at:
            return self._digest_of(name, at)

    @contextmanager
    def _named(self, path: str) -> Iterator[None]:
        """Errors in the body are at a whole path: calls from an open folder on say a name alone."""
        try:
            yield
        except OSError as error:
            if not os.path.isabs(str(error.filename)):
                error.filename = os.path.join(self.path, path)
                if isinstance(error, WrongKind):
                    raise error.at(error.filename) from error
            raise

    def _digest_of(self, name: str, at: int) -> str | None:
        try:
            return content_digest(self._read(name, at))
        except FileNotFoundError:
            return None

    @staticmethod
    def _read(name: str, at: int) -> bytes:
        with open(open_file(name, at), "rb") as file:
            return file.read()

    def _mode(self, path: str) -> int | None:
        """The mode of the file that is there, if there is one.

        Raises:
            OSError: its owner may not write it, or nobody its folder.
        """
        *folders, name = path.split("/")
        with self._named(path), entered(self.top, folders, path=self.path) as at:
            if os.fstatvfs(at).f_flag & os.ST_RDONLY:  # a folder of it may be a mount
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            try:
                mode = stat.S_IMODE(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
            except FileNotFoundError:
                return None
        if not mode & stat.S_IWUSR:
            raise OSError(errno.EACCES, "it is read-only", os.path.join(self.path, path))
        return mode

    def _forget(self) -> None:
        """Remove the record, then all that waits; what cannot be removed waits for the next one."""
        with suppress(OSError):
            for name in sorted(os.listdir(self.folder), key=lambda each: each != _RECORD):
                if name not in _KEPT:
                    os.unlink(name, dir_fd=self.folder)


@contextmanager
def changing(path: str, name: str) -> Iterator[Journal]:
    """The journal called ``name`` of a folder, settled, and nobody else's until the end.

    Raises:
        HalfDone: a change was interrupted before, and cannot be put in place.
        OSError: nothing can be written there.
    """
    with opened(path) as top, _own(path, name, top) as journal:
        journal.settle()
        yield journal


def settle(path: str, name: str) -> list[str]:
    """Let nothing that is left of a change be seen: end it, or take it back.

    The paths of the files that got their place here. Where nothing can be written, what was not
    recorded is as if it were not there.

    Raises:
        HalfDone: a change was interrupted, and cannot be put in place.
    """
    try:
        with opened(path) as top, _own(path, name, top) as journal:
            return journal.settle()
    except HalfDone:
        raise
    except OSError as error:
        with opened(path) as top, suppress(FileNotFoundError), opened(name, top) as folder:
            state = Journal(path, name, top, folder).half_done
            if state is not None:
                raise HalfDone(os.path.join(path, name), error, state) from error
        return []


@contextmanager
def _own(path: str, name: str, top: int) -> Iterator[Journal]:
    """The journal, locked; its folder goes at the end, unless something has to stay in it."""
    folder, lock = _locked(name, top)
    try:
        yield Journal(path, name, top, folder)
    finally:
        try:
            _remove_empty(name, top, folder)
        finally:
            _close(folder, lock)


def _remove_empty(name: str, top: int, folder: int) -> None:
    """Remove a folder that nothing waits in; the next process may."""
    with suppress(OSError):
        if set(os.listdir(folder)) <= set(_KEPT):
            for each in _KEPT:
                os.unlink(each, dir_fd=folder)
            os.rmdir(name, dir_fd=top)


def _locked(name: str, top: int) -> tuple[int, int]:
    """The folder, and the locked file in it; both are still there once it is locked."""
    while True:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=top)
        folder, lock = open_folder(name, top), -1
        try:
            with suppress(FileNotFoundError):  # somebody removes the folder
                _ignore(folder)
                lock = os.open(_LOCK, _OPEN, 0o666, dir_fd=folder)
                _wait(lock)
                there = os.stat(f"{name}/{_LOCK}", dir_fd=top, follow_symlinks=False)
                if inode_of(there) == inode_of(os.fstat(lock)):
                    return folder, lock
        except BaseException:
            _close(folder, lock)
            raise
        _close(folder, lock)


def _close(folder: int, lock: int) -> None:
    os.close(folder)
    if lock >= 0:
        os.close(lock)


def _ignore(folder: int) -> None:
    """Let git not see the folder."""
    try:
        os.stat(_IGNORE, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        replace_file(_IGNORE, b"*\n", at=folder, durable=False)


def _wait(lock: int) -> None:
    """Wait until nobody else has the file; where no locks are, nobody waits: see `Journal`."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
