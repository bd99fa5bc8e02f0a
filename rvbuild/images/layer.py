"""Walks an image's layer: each file is handed on, and what the root needs of it is kept.

Knows: that a layer is a tar archive, and how layers take away (which is refused).
Must not know: what is wanted of a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from rvbuild.archives.compression import decompressed, packing
from rvbuild.archives.guard import Guard
from rvbuild.archives.limits import Limits, Links, Meter
from rvbuild.archives.source import Flow, Source
from rvbuild.archives.tar import read_tar
from rvbuild.core import elf
from rvbuild.core.errors import VerificationError
from rvbuild.core.rootfs import Entry, Folder, Link, Plain
from rvbuild.images.layout import Layer

WHITEOUT = ".wh."

Look = Callable[[str, bytes], None]
"""Called with each file's path and content."""


def read_layer(path: str, layer: Layer, look: Look) -> tuple[dict[str, Entry], str]:
    """The entries of the layer in a file, and the digest of what it unpacks to.

    Raises:
        VerificationError: damaged, not compressed as its media type says, against the rules of
            archives, or with whiteouts.
    """
    name = layer.path
    sink = _Entries(name, look)
    sha256 = hashlib.sha256()

    def hashed(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            sha256.update(chunk)
            yield chunk

    with open(path, "rb") as file:
        source = Source(file, name)
        found = packing(source)
        if found != layer.packing:
            msg = f"it is {found or 'not compressed'}, its media type says {layer.packing or 'tar'}"
            raise VerificationError(msg, where=name)
        chunks = decompressed(source, Meter(name, Limits()))
        flow = Flow(hashed(chunks), name)
        read_tar(flow, Guard(sink, name, links=Links.ROOTED))
        flow.drain()
    return sink.entries, f"sha256:{sha256.hexdigest()}"


class _Entries:
    """A tree sink that keeps no content but what rules about the root look at."""

    def __init__(self, name: str, look: Look) -> None:
        self._name = name
        self._look = look
        self.entries: dict[str, Entry] = {"": Folder()}

    def directory(self, path: str) -> None:
        self._above(path)
        self.entries[path] = Folder()

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        self._above(path)
        data = b"".join(chunks)
        self._look(path, data)
        self.entries[path] = _plain(path, data, executable=executable)
        return hashlib.sha256(data).hexdigest()

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
            raise VerificationError(msg, where=f"{self._name}: entry {path}")
        while parent not in self.entries:
            self.entries[parent] = Folder()
            parent = parent.rpartition("/")[0]


def _plain(path: str, data: bytes, *, executable: bool) -> Plain:
    found = None
    if data.startswith(elf.MAGIC):
        try:
            found = elf.parse(data)
        except VerificationError:
            """The audit of its bytes says so."""
    line = data[:256].partition(b"\n")[0] if data.startswith(b"#!") else b""
    text = data if path.startswith("etc/") else b""
    return Plain(executable=executable, line=line, elf=found, text=text)
