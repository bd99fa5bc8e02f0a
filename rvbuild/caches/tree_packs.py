"""Trees as packs: what is written for others, and what is made of what others wrote.

Knows: which blobs are in which pack, and where they belong in the tree. Must not know: caches.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from attrs import frozen

from rvbuild.caches.pack import PIECE, PackReader, write_pack
from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError, WrongContent
from rvbuild.core.packing import LARGE, RUN, blobs_of, runs_in, runs_of
from rvbuild.core.ports.blob_batches import BatchedCas
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.statement import Pack, PackedTree
from rvbuild.core.tree import DirectoryNode, File, Symlink, Tree

AT_ONCE = 8
"""Packs that are read at the same time: enough for a far server, and little for a near one."""

UNPACKED = 3
"""Packs that are plain in memory at the same time: one whose files are made, and the next ones. The
others are whole, and compressed, meanwhile."""

WRITERS = 2
"""Threads that make small files: one is in the kernel while the other is in the interpreter. With
three, they take turns at the interpreter's lock, for each system call anew."""

ReadPack = Callable[[Digest], Iterator[bytes]]
"""The bytes of a pack, verified; they are those of the digest, or it raises."""


@frozen
class PackPlan:
    """A pack that is to be written: the ``Tree`` message for the first, and blobs."""

    message: bytes
    blobs: tuple[Digest, ...]

    def write(self, cas: BatchedCas, to: BinaryIO) -> Pack:
        """Write it.

        Raises:
            MissingObject: the store lacks a blob.
            OSError: ``to`` could not be written.
        """
        size = len(self.message) + sum(blob.size for blob in self.blobs)
        return Pack(write_pack(self._parts(cas), size, to), len(self.blobs))

    def _parts(self, cas: BatchedCas) -> Iterator[bytes]:
        yield self.message
        for blobs in runs_of(self.blobs):
            if blobs[0].size > LARGE:
                yield from _viewed(cas, blobs[0])
            else:
                yield from cas.read_each(blobs)


def _viewed(cas: BatchedCas, blob: Digest) -> Iterator[bytes]:
    with cas.view(blob) as view:
        for begin in range(0, blob.size, PIECE):
            yield bytes(view[begin : begin + PIECE])


def plan_packs(tree: Tree) -> list[PackPlan]:
    """The packs that hold a tree; at least one, which begins with its ``Tree`` message."""
    runs = list(runs_of(blobs_of(tree))) or [()]
    messages = itertools.chain([tree.encode()], itertools.repeat(b""))
    return list(map(PackPlan, messages, runs))


def packed_tree(tree: Tree, packs: Sequence[Pack]) -> PackedTree:
    """What a statement says of a tree that ``packs`` hold."""
    extent = tree.extent()
    return PackedTree(
        root=tree.root,
        message=Digest.of(tree.encode()),
        size=extent.size,
        files=extent.files,
        packs=tuple(packs),
    )


class _Place(NamedTuple):
    """A file's; as many as files, and so no attrs class: that costs three times as much."""

    path: str
    executable: bool


class TreeUnpacker:
    """Makes a tree of its packs; a value for one tree.

    Rules:

    1. The first pack says which tree it is, and that is the tree that was signed.
    2. The others are read side by side, from the start on; nothing is made of them before.
    3. Small files are made by `WRITERS` threads at a time. Meanwhile others decompress.
    4. Each blob is hashed while it is written; another content than the tree's is refused.

    Args:
        packed: What was signed.
        read: Brings packs.
        into: Where files go.
        taken: Called with the plain bytes of each piece, from any thread; may raise.
    """

    def __init__(
        self, packed: PackedTree, read: ReadPack, into: TreeSink, taken: Callable[[int], object]
    ) -> None:
        self._packed = packed
        self._read = read
        self._into = into
        self._taken = taken
        self._places: Mapping[Digest, list[_Place]] = {}
        self._runs: Sequence[Sequence[Digest]] = ()
        self._begun = threading.Event()
        self._writing = threading.BoundedSemaphore(WRITERS)
        self._unpacking = threading.BoundedSemaphore(UNPACKED)

    def run(self) -> Tree:
        """Read all packs; return the tree that they hold.

        Raises:
            VerificationError: a pack is not what was signed.
            RvbuildError: as ``read`` has it.
        """
        first, *others = self._packed.packs
        with ThreadPoolExecutor(AT_ONCE) as pool:
            taken = pool.map(self._take_pack, others, itertools.count(1))
            try:
                tree = self._take_first(first)
                for _ in taken:
                    pass
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:  # nobody waits for a tree that does not come
                self._begun.set()
        return tree

    def _take_first(self, pack: Pack) -> Tree:
        reader = PackReader(self._read(pack.digest))
        with _to_its_end(reader):
            tree = self._tree(reader)
            self._places, others = _laid_out(tree)
            self._runs = runs_in(tuple(self._places), self._packed.packs)
            with self._writing:
                self._begun.set()  # the others decompress meanwhile
                self._make_others(others)
            self._take(reader, self._runs[0])
        return tree

    def _tree(self, reader: PackReader) -> Tree:
        """The tree that the first pack is of."""
        message = b"".join(reader.blob(self._packed.message.size))
        if Digest.of(message) != self._packed.message:
            msg = "the Tree message is not the one that was signed"
            raise WrongContent(msg)
        tree = Tree.decode(message)
        if tree.root != self._packed.root:
            msg = "the Tree message is of another tree than was signed"
            raise WrongContent(msg)
        return tree

    def _make_others(self, others: Iterable[tuple[str, DirectoryNode | Symlink]]) -> None:
        for path, node in others:
            if isinstance(node, Symlink):
                self._into.symlink(path, node.target)
            else:
                self._into.directory(path)

    def _take_pack(self, pack: Pack, number: int) -> None:
        chunks: Iterable[bytes] = self._read(pack.digest)
        if pack.digest.size > RUN:
            self._take_chunks(chunks, number)
            return
        chunks = list(chunks)
        with self._unpacking:
            self._take_chunks(chunks, number)

    def _take_chunks(self, chunks: Iterable[bytes], number: int) -> None:
        self._begun.wait()
        if not self._runs:  # the first pack was no good
            return
        reader = PackReader(chunks)
        with _to_its_end(reader):
            self._take(reader, self._runs[number])

    def _take(self, reader: PackReader, run: Sequence[Digest]) -> None:
        for blobs in runs_of(run):
            if blobs[0].size > LARGE:
                self._write_large(blobs[0], self._counted(reader.blob(blobs[0].size)))
            else:
                self._write_small(blobs, reader)
        reader.finish()

    def _write_small(self, blobs: Sequence[Digest], reader: PackReader) -> None:
        whole = list(reader.blobs([blob.size for blob in blobs]))
        with self._writing:
            for blob, data in zip(blobs, whole, strict=True):
                for place in self._places[blob]:
                    self._file(place, (data,), blob)
        self._taken(sum(map(len, whole)))

    def _write_large(self, blob: Digest, counted: Iterator[bytes]) -> None:
        """Write a blob to each of its places."""
        plain, tools = (
            [place for place in self._places[blob] if place.executable == mode]
            for mode in (False, True)
        )
        if not (plain and tools):
            self._large(plain or tools, counted, blob)
            return
        with tempfile.TemporaryFile() as spool:  # one content with two modes: a copy has one
            self._large(plain, _through(counted, spool), blob)
            self._large(tools, _again(spool), blob)

    def _large(self, places: Sequence[_Place], pieces: Iterable[bytes], blob: Digest) -> None:
        """Write a large blob to places of one mode: once, and copies."""
        first, *others = places
        self._file(first, pieces, blob)
        for place in others:
            self._into.copy(place.path, first.path)

    def _file(self, place: _Place, pieces: Iterable[bytes], blob: Digest) -> None:
        if self._into.file(place.path, pieces, executable=place.executable) != blob.hash:
            msg = f"{place.path} is not what was signed"
            raise WrongContent(msg)

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._taken(len(piece))
            yield piece


@contextmanager
def _to_its_end(reader: PackReader) -> Iterator[None]:
    """Read a pack to its end also if nothing can be made of it.

    Then its own SHA-256 tells whether a cache sent other bytes than it has, which is the error that
    is raised; if not, who signed it did.
    """
    try:
        yield
    except VerificationError:
        reader.exhaust()
        raise


def _through(pieces: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    """The pieces, which are in ``spool`` afterwards."""
    for piece in pieces:
        spool.write(piece)
        yield piece


def _again(spool: BinaryIO) -> Iterator[bytes]:
    """What went into ``spool``."""
    spool.seek(0)
    return iter(lambda: spool.read(PIECE), b"")


def _laid_out(
    tree: Tree,
) -> tuple[Mapping[Digest, list[_Place]], list[tuple[str, DirectoryNode | Symlink]]]:
    """Where each blob belongs; and every folder but the root, above what is in it, and every link.

    One walk, in the order of ``Tree.walk``: the blobs are those of ``blobs_of``.
    """
    places: defaultdict[Digest, list[_Place]] = defaultdict(list)
    others: list[tuple[str, DirectoryNode | Symlink]] = []
    stack = [("", tree.root)]
    while stack:
        prefix, digest = stack.pop()
        for name, node in tree.directories[digest].entries.items():
            if isinstance(node, File):
                places[node.digest].append(_Place(prefix + name, node.executable))
                continue
            others.append((prefix + name, node))
            if isinstance(node, DirectoryNode):
                stack.append((f"{prefix}{name}/", node.digest))
    return places, others
