"""Where results appear: links to what people see of them, or copies.

Knows: `result/`, `-o DIR`, and that nothing is replaced that is not ours. Must not know: how
results are made.

What takes a place is made beside it first, in a hidden folder whose lock its process holds; it
changes places with what was there, so that nothing is lost that somebody put there meanwhile.
What a killed run has left is nobody's, and the next run in the same folder removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from rvbuild.core.errors import StoreError, UsageError
from rvbuild.files.folder import open_folder
from rvbuild.files.removal import remove_tree
from rvbuild.files.swap import exchange, put
from rvbuild.files.walk import below
from rvbuild.stores.layout import EPOCH_NS

RESULT = "result"

_STAGING = re.compile(r"\.rvbuild-[0-9a-f]{16}")
_INTO_A_STORE = re.compile(r".*/(?:views|trees)/[0-9a-f]{2}/[0-9a-f]{64}")
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


def refuse_occupied(places: Iterable[str]) -> None:
    """Say before the build what would go wrong after it.

    Raises:
        UsageError: a link cannot be made at one of the places.
    """
    for place in places:
        folder = os.path.dirname(place)
        if os.path.lexists(place) and not os.path.islink(place):
            _refuse("there is something that rvbuild did not make", place, "move it away")
        if os.path.lexists(folder) and not os.path.isdir(folder):
            _refuse("the results' folder is something else", folder, "move it away")
        if not os.access(_nearest(folder), os.W_OK):
            _refuse("results cannot be linked here: no right to write", folder, "go elsewhere")
        try:
            place.encode()
        except UnicodeEncodeError:
            _refuse("results cannot be linked here: the path is not UTF-8", folder, "go elsewhere")


def refuse_no_folder(output: str) -> None:
    """Say before the build that copies cannot be put into ``output``.

    Raises:
        UsageError: it cannot be a folder that one may write.
    """
    near = _nearest(os.path.abspath(output)) if output else ""
    if not os.path.isdir(near):
        msg = "results cannot be copied there: it is no folder"
        raise UsageError(msg, where=near or f"-o {output!r}", hint="use another DIR with -o")
    if not os.access(near, os.W_OK):
        msg = "results cannot be copied there: no right to write"
        raise UsageError(msg, where=near, hint="use another DIR with -o")


def _refuse(message: str, where: str, hint: str) -> None:
    raise UsageError(message, where=where, hint=f"{hint}, or use -o DIR")


def _nearest(folder: str) -> str:
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return folder


# ---- links


def link(view: str, place: str, before: Identity | None) -> None:
    """Let ``place`` be a link to ``view``.

    Args:
        view: What people see of the result.
        place: Where a link, or nothing, may be.
        before: What was there before the build; a link that came meanwhile and leads
            elsewhere than into a store is somebody's own.

    Raises:
        UsageError: something that is not ours is there now.
        StoreError: it cannot be made.
    """
    try:
        with _staging(os.path.dirname(place)) as folder:
            mine = f"{folder}/link"
            os.symlink(view, mine)
            if _took(mine, place, lambda path: _is_our_link(path, before)):
                return
    except OSError as error:
        msg = f"the result cannot be linked: {error.strerror}"
        raise StoreError(msg, where=place, hint="build in a folder that you may write") from error
    msg = "something was put here while rvbuild built"
    hint = f"move it away and build again; the result is at {view}"
    raise UsageError(msg, where=place, hint=hint)


def _is_our_link(path: str, before: Identity | None) -> bool:
    if not os.path.islink(path):
        return False
    return identity(path) == before or bool(_INTO_A_STORE.fullmatch(os.readlink(path)))


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
        Where that is now, if it was not a copy by rvbuild; else "", and it is gone.

    Raises:
        UsageError: something came to the place during the build.
        StoreError: it cannot be made; what was there before is still there.
    """
    try:
        with _staging(os.path.dirname(place)) as folder:
            mine = f"{folder}/copy"
            _filled(mine, fill)
            aside = _move_aside(place, before)
            if _took(mine, place, lambda path: before is not None and identity(path) == before):
                return aside
            if is_same(place):
                return aside
            if aside:
                put(aside, place)
    except OSError as error:
        msg = f"the result cannot be copied: {error.strerror}"
        raise StoreError(msg, where=place, hint="use another DIR with -o") from error
    msg = "something was put here, or changed, while rvbuild built"
    raise UsageError(msg, where=place, hint="move it away and build again, or use another DIR")


def _filled(mine: str, fill: Callable[[int], None]) -> None:
    os.mkdir(mine)
    at = open_folder(mine)
    try:
        fill(at)
    finally:
        os.close(at)


def _move_aside(place: str, before: Identity | None) -> str:
    """Move what a person made beside the place; its path there, or "".

    That is done before the copy takes the place: what goes through the staging folder is
    removed with it, whatever happens meanwhile.
    """
    if before is None or identity(place) != before or _is_copy(place):
        return ""
    aside = f"{place}.old-{secrets.token_hex(4)}"
    if not put(place, aside):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), aside)
    return aside


def _is_copy(path: str) -> bool:
    """Whether it is a result: a link to one, or a folder in which nobody has changed anything.

    All in a copy bears the one timestamp until somebody writes to it. What cannot be looked
    at is none.
    """
    if os.path.islink(path):
        return bool(_INTO_A_STORE.fullmatch(os.readlink(path)))
    try:
        entries = [path, *(each.path for each in below(path))]
        is_old = all(os.lstat(each).st_mtime_ns == EPOCH_NS for each in entries)
    except OSError:
        return False
    return is_old or entries == [path]


# ---- taking a place


def _took(mine: str, place: str, may_go: Callable[[str], bool]) -> bool:
    """Put ``mine`` at ``place``; what may go is at ``mine`` then, and all else stays."""
    for _ in range(_TRIES):
        if put(mine, place):
            return True
        if not may_go(place):
            return False
        try:
            exchange(mine, place)
        except FileNotFoundError:  # it has gone meanwhile
            continue
        if may_go(mine):
            return True
        exchange(mine, place)  # it came in between: back with it
    return False


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
        with suppress(OSError):
            fd = open_folder(f"{parent}/{name}")
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(f"{parent}/{name}")
            finally:
                os.close(fd)
