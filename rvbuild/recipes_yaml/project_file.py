"""Reads the files that people write: recipes, files beside them, locks.

Knows: that such a file is a regular one of limited size, and that looking at it must neither
block nor change anything. Must not know: what is in it.

A link is followed, if it leads to such a file: projects share recipes that way.
"""

from __future__ import annotations

import errno
import os
import stat

from attrs import frozen

from rvbuild.core.errors import RvbuildError

_CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: "Is a directory",
    stat.S_IFIFO: "it is a FIFO",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


@frozen
class ProjectFile:
    """A file's bytes, and whether its owner may execute it."""

    data: bytes
    executable: bool


def read_file(path: str, label: str, *, limit: int, error: type[RvbuildError]) -> ProjectFile:
    """Read a file, at most one byte more than ``limit``: whoever parses it says that it is long.

    Args:
        path: Where it is.
        label: The same for messages.
        limit: The size that it may have.
        error: What to raise.

    Raises:
        RvbuildError: ``error``, if it is no regular file or cannot be read.
    """
    try:
        _check(os.stat(path), label, error)  # opening a device may do something already
        descriptor = os.open(path, _OPEN)
        try:
            there = os.fstat(descriptor)
            _check(there, label, error)
            data = _content(descriptor, limit + 1)
        finally:
            os.close(descriptor)
    except OSError as cause:
        msg = f"cannot be read: {cause.strerror}"
        raise error(msg, where=label, hint=_hint(path, label, cause)) from cause
    return ProjectFile(data, executable=bool(there.st_mode & stat.S_IXUSR))


def near_path(path: str) -> str:
    """A path for messages: relative where it is below the working directory."""
    return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path


def _check(there: os.stat_result, label: str, error: type[RvbuildError]) -> None:
    kind = stat.S_IFMT(there.st_mode)
    if kind != stat.S_IFREG:
        msg = f"cannot be read: {_KINDS.get(kind, 'it is no file')}"
        raise error(msg, where=label, hint="put a plain file there, or nothing")


def _content(descriptor: int, most: int) -> bytes:
    chunks = []
    while most > 0 and (chunk := os.read(descriptor, min(most, _CHUNK))):
        chunks.append(chunk)
        most -= len(chunk)
    return b"".join(chunks)


def _hint(path: str, label: str, cause: OSError) -> str:
    if os.path.islink(path):
        return "it is a link: see where it leads"
    if cause.errno in {errno.EACCES, errno.EPERM}:
        return f"make it yours to read: `chmod u+r {label}`, as its owner"
    return "see what is there, and that it can be read (`cat`)"
