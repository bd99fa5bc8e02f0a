"""Where results appear: links to what people see of them, or copies.

Knows: `result/`, `-o DIR`, and that nothing is replaced that is not ours. Must not know: how
results are made.

What takes a place is made beside it first, in a hidden folder whose lock its process holds. It
changes places with what was there under a name that nobody clears, so that nothing is lost that
somebody put there, whenever the run ends. Only what is surely a copy goes from there into the
hidden folder, which is removed: at the end, or by the next run after one that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import StoreError, UsageError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.folder import open_folder, opened
from rvbuild.files.removal import remove_tree
from rvbuild.files.swap import exchange, put
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.files.walk import below
from rvbuild.stores.top import RESULT

_STAGING = re.compile(r"\.rvbuild-[0-9a-f]{16}")
_INTO_A_STORE = re.compile(r".*/(?:views|trees)/[0-9a-f]{2}/[0-9a-f]{64}", re.DOTALL)
_TRIES = 100

Identity = tuple[int, int, int]
"""Device, inode and modification time: which thing is at a place, and what a folder has."""


def link_place(target: str) -> str:
    """Where the link to a target's result is, below the working directory."""
    return os.path.abspath(os.path.join(RESULT, target))


def identity(path: str) -> Identity | None:
    """What is at a place before a build, which the build may replace."""
    try:
        there = os.lstat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino, there.st_mtime_ns


# ---- links


def link(view: str, place: str) -> None:
    """Let ``place`` be a link to ``view``.

    Args:
        view: What people see of the result.
        place: Where a link into a store, or nothing, may be.

    Raises:
        UsageError: something that is not ours is there now.
        StoreError: it cannot be made.
    """
    try:
        with _staging(os.path.dirname(place)) as folder:
            mine = f"{folder}/link"
            os.symlink(view, mine)
            former = _took(mine, place, is_our_link)
            if former is not None:
                if former:
                    os.unlink(former)
                return
    except OSError as error:
        msg = f"the result cannot be linked: {error.strerror}"
        hint = hint_for(error.errno, Site.LINK)
        raise StoreError(msg, where=place, hint=hint) from error
    msg = "something was put here while rvbuild built"
    hint = f"move it away and build again; the result is at {view}"
    raise UsageError(msg, where=place, hint=hint)


def is_our_link(path: str) -> bool:
    """Whether it is a link into a store, as `link` makes it; any other is somebody's own."""
    return os.path.islink(path) and bool(_INTO_A_STORE.fullmatch(os.readlink(path)))


# ---- copies


def copy(
    fill: Callable[[int], None],
    is_same: Callable[[str], bool],
    place: str,
    before: Identity | None,
) -> str:
    """Let ``place`` be a copy that its owner may change, instead of what was there before.

    Args:
        fill: Copies into an empty open folder.
        is_same: Whether a folder is the same copy, which another rvbuild has put there.
        place: Where.
        before: What was there before the build.

    Returns:
        Where that is now, unless it was a copy that nobody has changed; else "", and it is gone.

    Raises:
        UsageError: something came to the place during the build.
        StoreError: it cannot be made; what was there before is still there.
    """
    try:
        with _staging(os.path.dirname(place)) as folder:
            mine = f"{folder}/copy"
            _filled(mine, fill)
            may_go = _is_copy(place)  # before anything moves: a look may fail, or be interrupted
            former = _took(
                mine, place, lambda path: before is not None and identity(path) == before
            )
            if former is not None:
                return "" if may_go and _went(former, f"{folder}/former") else former
            if is_same(place):
                return ""
    except OSError as error:
        msg = f"the result cannot be copied: {error.strerror}"
        hint = hint_for(error.errno, Site.COPY)
        raise StoreError(msg, where=place, hint=hint) from error
    msg = "something was put here, or changed, while rvbuild built"
    raise UsageError(
        msg, where=place, hint=advise("move it away and build again, or ", Remedy.COPIES)
    )


def _filled(mine: str, fill: Callable[[int], None]) -> None:
    os.mkdir(mine)
    with opened(mine) as at:
        fill(at)


def _went(former: str, gone: str) -> bool:
    """Whether what was there is still a copy, and is where it will be removed now."""
    if not former or not _is_copy(former):
        return False
    with suppress(OSError):
        os.rename(former, gone)
    return not os.path.lexists(former)


def _is_copy(path: str) -> bool:
    """Whether it is a result: a link to one, or a folder as rvbuild left it. If in doubt, no.

    All in a copy bears the one timestamp, and its top was the last of it to change, until
    somebody edits, adds or removes something.
    """
    try:
        top = os.lstat(path)
        if stat.S_ISLNK(top.st_mode):
            return is_our_link(path)
        if not stat.S_ISDIR(top.st_mode):
            return False
        is_ours = top.st_mtime_ns == EPOCH_NS and all(
            there.st_mtime_ns == EPOCH_NS and there.st_ctime_ns <= top.st_ctime_ns
            for there in (each.stat(follow_symlinks=False) for each in below(path))
        )
        return is_ours or not os.listdir(path)
    except OSError:
        return False


# ---- taking a place


def _took(mine: str, place: str, may_go: Callable[[str], bool]) -> str | None:
    """Put ``mine`` at ``place``, unless something is there that may not go.

    Returns:
        Where that is now which was there, "" if nothing was; None if all is as it was.
    """
    for _ in range(_TRIES):
        if put(mine, place):
            return ""
        if not may_go(place):
            return None
        with _beside(mine, place) as aside:
            try:
                exchange(aside, place)
            except FileNotFoundError:  # it has gone meanwhile
                continue
            if may_go(aside):
                return aside
            exchange(aside, place)  # it came in between: back with it
            return None
    return None


@contextmanager
def _beside(mine: str, place: str) -> Iterator[str]:
    """A name for ``mine`` that no run ever clears; if ``mine`` is there at the end, it is back."""
    own = os.lstat(mine)
    aside = f"{place}.old-{secrets.token_hex(4)}"
    if not put(mine, aside):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), aside)
    try:
        yield aside
    finally:
        with suppress(FileNotFoundError):
            if os.path.samestat(own, os.lstat(aside)):
                put(aside, mine)


@contextmanager
def _staging(parent: str) -> Iterator[str]:
    """A hidden folder of our own in ``parent``, gone at the end."""
    os.makedirs(parent, exist_ok=True)
    _clear(parent)
    with ExitStack() as stack:
        path = None
        while path is None:
            path = _locked(parent, stack)
        stack.callback(remove_tree, path)
        yield path


def _locked(parent: str, stack: ExitStack) -> str | None:
    """A folder whose lock is ours; None if another run took it for left over before that."""
    path = f"{parent}/.rvbuild-{secrets.token_hex(8)}"
    os.mkdir(path, 0o700)
    try:
        fd = open_folder(path)
        stack.callback(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path if os.path.samestat(os.fstat(fd), os.lstat(path)) else None
    except (FileNotFoundError, BlockingIOError):
        return None
    except OSError as error:
        if error.errno in {errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL}:
            return path  # a file system without locks, where nobody clears either
        raise


def _clear(parent: str) -> None:
    """Remove what runs that were killed have left: nobody holds its lock."""
    for name in filter(_STAGING.fullmatch, os.listdir(parent)):
        with suppress(OSError), opened(f"{parent}/{name}") as fd:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(f"{parent}/{name}")
