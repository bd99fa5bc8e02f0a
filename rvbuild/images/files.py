"""The files of a layout one after the other, whether it is a folder or an archive.

Knows: folders, archives of whichever compression. Must not know: what the files are.

An archive is read through as often as it is asked for, and is never unpacked to disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator

from rvbuild.archives.byte_stream import CHUNK, ByteStream, Flow
from rvbuild.archives.compression import decompressed
from rvbuild.archives.guard import Guard
from rvbuild.archives.tar import read_tar
from rvbuild.archives.unpack_limits import Links, Meter, UnpackLimits
from rvbuild.core.errors import Malformed
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.files.walk import below

Take = Callable[[str, Iterable[bytes]], None]
"""Called with each file's path below the layout and its content, of which it may leave some."""


def each_file(place: str, name: str, take: Take, wanted: Wanted = lambda: None) -> None:
    """Hand on every file of the layout at ``place``; for messages it is called ``name``.

    ``wanted`` is called before each part that is read, and may raise.

    Raises:
        VerificationError: it cannot be read, is no archive or a damaged one, or holds what no
            layout has.
    """
    try:
        if os.path.isdir(place):
            for path in _paths(place, name):
                take(path, watched(_content(os.path.join(place, path)), wanted))
        else:
            _unpack(place, name, take, wanted)
    except OSError as error:
        msg = f"it cannot be read: {error.strerror}"
        raise Malformed(msg, where=name) from error


def watched(chunks: Iterable[bytes], wanted: Wanted) -> Iterator[bytes]:
    """The chunks, for as long as somebody wants them."""
    for chunk in chunks:
        wanted()
        yield chunk


def _paths(folder: str, name: str) -> list[str]:
    """Every file; a symlink could lead anywhere, so it is refused before anything is read."""
    found = []
    for entry in below(folder):
        path = os.path.relpath(entry.path, folder)
        if entry.is_symlink():
            msg = "it is a symbolic link, which no layout has"
            raise Malformed(msg, where=f"{name}/{path}")
        if not entry.is_dir(follow_symlinks=False):
            found.append(path)
    return sorted(found)


def _content(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _unpack(place: str, name: str, take: Take, wanted: Wanted) -> None:
    with open(place, "rb") as file:
        chunks = watched(decompressed(ByteStream(file, name), Meter(name, UnpackLimits())), wanted)
        flow = Flow(chunks, name)
        read_tar(flow, Guard(_Files(take), name, links=Links.NONE))
        flow.drain()


class _Hashing:
    """Chunks, and the hash of those that were taken. A generator ends where its user stops."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.hash.update(chunk)
        return chunk


class _Files:
    """A tree sink that hands on files: folders say nothing, and the guard refuses links."""

    def __init__(self, take: Take) -> None:
        self._take = take

    def directory(self, path: str) -> None: ...

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        del executable
        content = _Hashing(chunks)
        self._take(path, content)
        for _ in content:
            """What was not taken is part of the file, too."""
        return content.hash.hexdigest()

    def symlink(self, path: str, target: str) -> None: ...

    def copy(self, path: str, of: str) -> None: ...
