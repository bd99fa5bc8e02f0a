"""Caches: somebody else's stores, of objects by content and of records by name.

Knows: digests and names. Must not know: servers, signatures, what objects and records mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO, Protocol

from attrs import frozen

from rvbuild.core.digest import Digest


class Cache(Protocol):
    """Objects by content and records by name; many threads may call each method.

    What an object is named by are these very bytes, which may be compressed ones.

    Raises:
        CacheDown: it gives no usable answer in time.
        CacheRefused: it does not let us.
        Interrupted: the run was cancelled.
    """

    def missing(self, objects: Collection[Digest]) -> frozenset[Digest]:
        """Those that it does not have whole: absent, or of another size."""
        ...

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        """The bytes of an object from ``begin`` on, in pieces as they arrive.

        Nobody has checked them, unless a decorator did. An iterator that ends gave all that the
        cache has. One that nobody reads to its end is closed (``close``) or collected.

        Raises:
            CacheMiss: it has none, which is a KeyError, too; with the first piece.
            CacheDown: the rest does not come.
        """
        ...

    def write(self, item: Digest, data: BinaryIO) -> None:
        """Keep an object: whole, or not at all. One that is there whole is left alone.

        Args:
            item: What the bytes are named by.
            data: At its start, and able to seek; it has exactly the object's size.

        Raises:
            ValueError: it has another size; nothing was kept.
        """
        ...

    def record(self, name: str) -> bytes | None:
        """The bytes of a record; None if there is none."""
        ...

    def write_record(self, name: str, data: bytes) -> None:
        """Put a record in place of what was there, at once."""
        ...


@frozen(order=True)
class CacheEntry:
    """A file of a cache.

    Attributes:
        name: As ``record`` takes it; objects have one, too.
        size: Bytes.
        modified: When it was written: seconds since 1970 by the cache's own clock. It says which
            of two was written later, and nothing about this machine's clock.
    """

    name: str
    size: int
    modified: float


class CacheEntries(Protocol):
    """What a cache holds, and its removal. It raises what a `Cache` does."""

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        """Everything whose name begins with ``prefix``, in any order.

        Args:
            prefix: Empty, or folders that end with ``/``: ``objects/``.
        """
        ...

    def strangers(self, prefix: str) -> Iterator[str]:
        """Paths below ``prefix`` of what is there and is no entry; none where nobody can list.

        Those are files with names that no entry has, links and pipes, folders that may not be
        looked into, and empty folders, whose paths end with ``/``. At the top, what is hidden, and
        a disk's ``lost+found``, does not count.

        Args:
            prefix: As in ``entries``.
        """
        ...

    def records(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each of these records that is there, with its name, in any order.

        Whoever reads all of a cache asks so: one question for each record would take too long.
        """
        ...

    def remove(self, name: str) -> None:
        """Let it be gone; nothing happens if it is not there."""
        ...


class CollectableCache(Cache, CacheEntries, Protocol):
    """A cache whose garbage can be collected."""
