"""Packs out of several caches: where one stops, or has other bytes, another one helps.

Knows: members, and what each sent. Must not know: what is in a pack.

The rules:

1. A pack is read from the first cache that has it. One that stops in the middle is left for the
   next, which goes on from there.
2. A pack that came wrong after part of it was given is in *doubt*: who unpacks it begins anew.
3. A pack in doubt comes whole from one cache, and nothing of it is given before its SHA-256 is
   right. So each pack goes wrong once at most.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from attrs import define, field

from rvbuild.caches.arrival import Arrival
from rvbuild.caches.fetch_watch import FetchWatch
from rvbuild.caches.member import Member
from rvbuild.caches.pack import PIECE
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheError, CacheMiss, RvbuildError, WrongContent

Doubts = dict[Digest, set[str]]
"""Packs that came wrong: the names of the members that have them so, as far as that is known."""


@define
class PackSource:
    """Packs of one tree; any number of threads read them.

    Attributes:
        members: Those to ask, in this order.
        watch: Counts what comes; may raise.
        tell: Called with who sent wrong bytes.
        doubts: Of all trees of a run.
    """

    members: Sequence[Member]
    watch: FetchWatch
    tell: Callable[[Member, RvbuildError], None]
    doubts: Doubts
    _doubted: list[Digest] = field(factory=list, init=False)
    _failures: list[str] = field(factory=list, init=False)
    _sizes: dict[str, int] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def read(self, item: Digest) -> Iterator[bytes]:
        """The bytes of a pack, verified.

        Raises:
            CacheMiss: nobody has all of it.
            WrongContent: it came wrong.
        """
        return self._whole(item) if item in self.doubts else self._streamed(item)

    @property
    def may_come_right(self) -> bool:
        """Whether a pack came wrong, and somebody else may have each that did."""
        others = [self._others(item) for item in self._doubted]
        return bool(others) and all(any(not m.is_out for m in members) for members in others)

    @property
    def details(self) -> tuple[str, ...]:
        """What each cache said, once each."""
        return tuple(dict.fromkeys(self._failures))

    def count(self, saved: float) -> None:
        """Note the result with the cache that gave the most of it."""
        if self._sizes:
            most = max(self.members, key=lambda each: self._sizes.get(each.name, 0))
            most.count(pulled=1, saved=saved)

    def _streamed(self, item: Digest) -> Iterator[bytes]:
        """A pack while it comes."""
        arrival, senders = Arrival(item), set[str]()
        for member in self.members:
            try:
                for piece in self._pieces(member, arrival):
                    senders.add(member.name)
                    yield piece
            except CacheError as error:
                self._note(member, error)
            except WrongContent as error:
                self._note(member, error)
                if senders:
                    self._doubt(item, senders)
                    raise
                arrival = Arrival(item)
            else:
                if arrival.size == item.size:
                    return
        raise _nobody()

    def _doubt(self, item: Digest, senders: set[str]) -> None:
        """One that sent all of it has it wrong; of several nobody knows which one has."""
        wrong = senders if len(senders) == 1 else set[str]()
        with self._lock:
            self.doubts[item] = self.doubts.get(item, set()) | wrong
            self._doubted.append(item)

    def _whole(self, item: Digest) -> Iterator[bytes]:
        """A pack out of one cache, once all of it is there."""
        with tempfile.TemporaryFile() as spool:
            for member in self._others(item):
                try:
                    self._spool(item, member, spool)
                except (CacheError, WrongContent) as error:
                    self._note(member, error)
                    continue
                spool.seek(0)
                yield from iter(lambda: spool.read(PIECE), b"")
                return
        raise _nobody()

    def _others(self, item: Digest) -> list[Member]:
        """Who may have a pack right that is in doubt."""
        return [each for each in self.members if each.name not in self.doubts[item]]

    def _spool(self, item: Digest, member: Member, spool: BinaryIO) -> None:
        spool.seek(0)
        spool.truncate()
        spool.writelines(self._pieces(member, Arrival(item)))

    def _pieces(self, member: Member, arrival: Arrival) -> Iterator[bytes]:
        for piece in member.read(arrival):
            with self._lock:
                self._sizes[member.name] = self._sizes.get(member.name, 0) + len(piece)
            self.watch.came(len(piece))
            yield piece

    def _note(self, member: Member, error: CacheError | WrongContent) -> None:
        self._failures.append(f"{member.name}: {error.message}")
        if isinstance(error, WrongContent):
            self.tell(member, error)


def _nobody() -> CacheMiss:
    msg = "no cache has all of a pack"
    return CacheMiss(msg)
