"""Walks an image's layer: each file is handed on, and what the root needs of it is kept.

Knows: that a layer is a tar archive, and how layers take away (which is refused).
Must not know: what is wanted of a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from tempfile import SpooledTemporaryFile

from attrs import frozen

from rvbuild.archives.byte_stream import ByteStream, Flow
from rvbuild.archives.compression import decompressed, packing
from rvbuild.archives.guard import Guard
from rvbuild.archives.tar import read_tar
from rvbuild.archives.tar_header import Header
from rvbuild.archives.unpack_limits import Links, Meter, UnpackLimits
from rvbuild.core.elf import ByteView
from rvbuild.core.errors import Malformed
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.core.rootfs import Entry, Folder, Link, plain
from rvbuild.images.files import watched

WHITEOUT = ".wh."

_LIMITS = UnpackLimits(repeats=False)
"""A runtime removes a file before it makes it again, so a link to itself leads nowhere then."""

_IN_MEMORY = 4 << 20
"""Bytes of the largest file of a layer that is not put on disk while it is looked at."""

Look = Callable[[str, ByteView], None]
"""Called with each file's path and content."""


@frozen
class Read:
    """What a layer turned out to be: its compression, the digest of its content, its entries."""

    packing: str
    content: str
    entries: dict[str, Entry]


def read_layer(
    chunks: Iterable[bytes],
    name: str,
    look: Look,
    accounts: Collection[str] = (),
    wanted: Wanted = lambda: None,
) -> Read:
    """Walk a layer.

    Args:
        chunks: Its file.
        name: What it is called in messages.
        look: Called with each file of it.
        accounts: Users and groups that its files may be asked for.
        wanted: Called before each part of what it unpacks to; may raise.

    Raises:
        VerificationError: damaged, against the rules of archives, or with whiteouts.
    """
    source = ByteStream(_Stream(Flow(chunks, name)), name)
    found = packing(source)
    sink = _Entries(name, look, accounts)
    sha256 = hashlib.sha256()
    unpacked = watched(decompressed(source, Meter(name, _LIMITS)), wanted)
    flow = Flow(_hashed(unpacked, sha256.update), name)
    read_tar(flow, Guard(sink, name, limits=_LIMITS, links=Links.ROOTED), sink.header)
    flow.drain()
    return Read(found, f"sha256:{sha256.hexdigest()}", sink.entries)


@frozen
class _Stream:
    """Chunks as something that can be read."""

    flow: Flow

    def read(self, size: int, /) -> bytes:
        return self.flow.upto(size)


def _hashed(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


class _Held:
    """A file's content, to be looked at in slices: a large one lies in a file without a name.

    It is read, not mapped: pages that are mapped count as this process' memory.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - see close
        try:
            for chunk in chunks:
                self._file.write(chunk)
        except BaseException:  # nobody has it yet who would close it
            self._file.close()
            raise
        self._size = self._file.tell()

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._size)
        self._file.seek(start)
        return self._file.read(max(stop - start, 0))


class _Entries:
    """A tree sink that keeps no content but what rules about the root look at."""

    def __init__(self, name: str, look: Look, accounts: Collection[str]) -> None:
        self._name = name
        self._look = look
        self._accounts = accounts
        self._mode = 0
        self.entries: dict[str, Entry] = {"": Folder()}

    def header(self, header: Header) -> None:
        """What the archive says of the entry that comes next.

        A directory may come again, and the root's own does not reach `directory`: whoever unpacks
        gives it the last mode.
        """
        self._mode = header.mode
        if header.is_directory:
            parts = header.name.decode(errors="replace").split("/")  # the guard refuses others
            path = "/".join(part for part in parts if part not in {"", "."})
            if path in self.entries:
                self.entries[path] = Folder(header.mode)

    def directory(self, path: str) -> None:
        self._above(path)
        self.entries[path] = Folder(self._mode)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        del executable  # the mode says it
        self._above(path)
        sha256 = hashlib.sha256()
        with closing(_Held(_hashed(chunks, sha256.update))) as data:
            self._look(path, data)
            self.entries[path] = plain(data, self._mode, self._accounts)
        return sha256.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        self._above(path)
        self.entries[path] = Link(target)

    def copy(self, path: str, of: str) -> None:
        self._above(path)
        self.entries[path] = self.entries[of]

    def _above(self, path: str) -> None:
        """See that the folders above are there, and that the name takes nothing away."""
        parent, _, name = path.rpartition("/")
        if name.startswith(WHITEOUT):
            msg = "a whiteout: an image here has one layer, from which nothing is taken away"
            raise Malformed(msg, where=f"{self._name}: entry {path}")
        while parent not in self.entries:
            self.entries[parent] = Folder()
            parent = parent.rpartition("/")[0]
