"""Objects that are what their names say, whatever a cache sends.

Knows: sizes, SHA-256, and that a cache may stop in the middle. Must not know: how a cache is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from rvbuild.caches.arrival import Arrival
from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.names import object_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, WrongContent

PROGRESS = 64 << 10
"""Bytes that one try must bring to count as progress."""


@frozen
class VerifyingCache(CacheDecorator):
    """A cache of which nobody reads wrong bytes to their end.

    Rules:

    1. Bytes are hashed while they arrive. The last of them is given only if the SHA-256 of all is
       right, and none follows; so whoever has as many bytes as the object has right ones.
    2. One piece too many ends it: no cache can go on for ever.
    3. A cache that breaks off is asked again from there on. ``tries`` in a row that bring less than
       `PROGRESS` end that. So does one that was waited for long enough, or that says when to ask.

    Example: a bit of the object flipped on the server's disk. All pieces but the last arrive, then
    WrongContent is raised.

    Attributes:
        inner: The cache.
        address: For messages.
        tries: See above.
    """

    address: str
    tries: int = 3

    def read(self, item: Digest, begin: int = 0) -> Iterator[bytes]:
        """As the port says; what stands before ``begin`` is read, too, for the SHA-256.

        Raises:
            WrongContent: the cache has other bytes under the name.
        """
        arrival = Arrival(item)
        for piece in self.resume(arrival):
            if arrival.size > begin:
                yield piece[max(0, begin - arrival.size + len(piece)) :]

    def resume(self, arrival: Arrival) -> Iterator[bytes]:
        """What an object still lacks, of which others may have brought the beginning.

        Each piece counts as arrived before it is given.

        Raises:
            WrongContent: all of it together has other bytes.
        """
        item = arrival.item
        pieces = self._pieces(item, arrival.size)
        for piece in pieces:
            arrival.add(piece)
            if arrival.size >= item.size:
                self._check_end(arrival, arrival.size + len(next(pieces, b"")))
            yield piece
        if arrival.size < item.size or not item.size:
            self._check_end(arrival, arrival.size)

    def _check_end(self, arrival: Arrival, size: int) -> None:
        """See that what came is the object."""
        item = arrival.item
        if size != item.size:
            raise self._wrong(
                item,
                f"{size} bytes or more came" if size > item.size else f"only {size} bytes came",
            )
        if not arrival.is_right:
            raise self._wrong(item, "other bytes came")

    def _pieces(self, item: Digest, done: int) -> Iterator[bytes]:
        """What the cache sends from there on, each try from where the one before stopped."""
        came = failures = 0
        while True:
            try:
                for piece in self.inner.read(item, done):
                    done += len(piece)
                    came += len(piece)
                    yield piece
            except CacheDown as error:
                if done >= item.size:  # only the end of the answer was cut off
                    return
                failures = 0 if came >= PROGRESS else failures + 1
                if failures >= self.tries or error.late or error.retry_after is not None:
                    raise
                came = 0
            else:
                return

    def _wrong(self, item: Digest, what: str) -> WrongContent:
        msg = f"the cache has wrong bytes for an object of {item.size} bytes: {what}"
        hint = "the object is damaged there: remove it, and write it again from a good store"
        return WrongContent(msg, where=f"{self.address} {object_name(item)}", hint=hint)
