"""Which blobs of a tree travel together.

Knows: the order and the sizes of a tree's blobs. Must not know: compression, caches.

A tree of 20,000 small files is a few dozen objects of a cache:

1. Each blob of a tree counts once, in the order of ``Tree.walk``.
2. A blob above ``LARGE`` is a run of its own: two trees that have it share its pack.
3. The blobs between two large ones are cut into runs of at most ``RUN`` bytes.

The same tree has the same runs everywhere, so a reader knows from the tree alone which blobs a pack
holds; the statement says how many, for whoever cuts otherwise one day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.statement import Pack
from rvbuild.core.tree import File, Tree

LARGE = 1 << 20
RUN = 8 << 20


def blobs_of(tree: Tree) -> tuple[Digest, ...]:
    """The blobs of a tree's files, each once."""
    files = (node for _, node in tree.walk() if isinstance(node, File))
    return tuple(dict.fromkeys(file.digest for file in files))


def runs_of(blobs: Iterable[Digest]) -> Iterator[tuple[Digest, ...]]:
    """Cut blobs into runs; none is empty."""
    run: list[Digest] = []
    size = 0
    for blob in blobs:
        if run and (blob.size > LARGE or size + blob.size > RUN):
            yield tuple(run)
            run, size = [], 0
        run.append(blob)
        size += blob.size
        if blob.size > LARGE:
            yield tuple(run)
            run, size = [], 0
    if run:
        yield tuple(run)


def runs_in(blobs: Sequence[Digest], packs: Iterable[Pack]) -> list[tuple[Digest, ...]]:
    """The blobs that each pack holds.

    Raises:
        Malformed: the packs hold another number of blobs than the tree has.
    """
    runs, begin = [], 0
    for pack in packs:
        runs.append(tuple(blobs[begin : begin + pack.blobs]))
        begin += pack.blobs
    if begin != len(blobs):
        msg = f"the packs hold {begin} blobs, and the tree has {len(blobs)}"
        raise Malformed(msg)
    return runs
