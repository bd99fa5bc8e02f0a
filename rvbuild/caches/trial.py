"""Tries what a cache lets us do: read, write, list, remove.

Knows: the port, and names that disturb nobody. Must not know: whose cache it is, how it is shown.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator

from attrs import define, evolve, frozen

from rvbuild.caches.marked import has_mark, require_mark
from rvbuild.caches.names import LEASES, OBJECTS, is_object, lease_name, object_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheError, VerificationError, WrongContent
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.core.ports.clock import Clock


@frozen(kw_only=True)
class TrialStep:
    """One thing that was tried.

    Attributes:
        what: ``read``, ``write``, ``read back``, ``write a record``, ``list``, ``read an object``,
            ``remove``.
        seconds: How long it took.
        size: Bytes that came; 0 where only the time counts.
        problem: Why it does not work; None if it does.
        is_needed: Whether nobody can use the cache as it is set without that.
        is_new: Whether it is no cache yet, which who writes makes it.
    """

    what: str
    seconds: float
    size: int = 0
    problem: CacheError | VerificationError | None = None
    is_needed: bool = True
    is_new: bool = False


def try_cache(
    cache: CollectableCache, address: str, clock: Clock, *, writes: bool
) -> Iterator[TrialStep]:
    """Try each thing in turn, as the iterator is asked; after a failure nothing more is written.

    What has no mark is no cache for whoever only reads: its address may be wrong, or its disk not
    mounted, and every record would be a miss.

    Args:
        cache: Which.
        address: For messages.
        clock: Seconds that only grow.
        writes: Whether to write a small object and a record, which are removed afterwards.
    """
    trial = _Trial(cache, address, clock, writes)
    first = trial.step("read", trial.read)
    yield (first := evolve(first, is_new=trial.is_new))
    if first.problem:
        return
    if writes:
        yield from trial.writing()
    yield trial.step("list", trial.list, is_needed=False)
    if trial.sample:
        yield trial.step("read an object", trial.read_sample)
    if trial.written:
        yield trial.step("remove", trial.remove, is_needed=False)


@define
class _Trial:
    """What is tried, and what it left."""

    cache: CollectableCache
    address: str
    clock: Clock
    writes: bool
    is_new: bool = False
    sample: Digest | None = None
    written: tuple[str, ...] = ()

    def step(self, what: str, do: Callable[[], int], *, is_needed: bool = True) -> TrialStep:
        began, size, problem = self.clock(), 0, None
        try:
            size = do()
        except (CacheError, VerificationError) as error:
            problem = error
        seconds = self.clock() - began
        return TrialStep(
            what=what, seconds=seconds, size=size, problem=problem, is_needed=is_needed
        )

    def read(self) -> int:
        if self.writes:
            self.is_new = not has_mark(self.cache, self.address)
        else:
            require_mark(self.cache, self.address)
        return 0

    def writing(self) -> Iterator[TrialStep]:
        """Write an object and a record, and read both."""
        data = secrets.token_bytes(64)
        item, name = Digest.of(data), lease_name(f"trial-{secrets.token_hex(8)}")
        steps = {
            "write": lambda: self._write(item, data),
            "read back": lambda: self._read(item),
            "write a record": lambda: self._write_record(name),
        }
        for what, do in steps.items():
            yield (step := self.step(what, do))
            if step.problem:
                return

    def _write(self, item: Digest, data: bytes) -> int:
        self.cache.write(item, io.BytesIO(data))
        self.written = (*self.written, object_name(item))
        return 0

    def _read(self, item: Digest) -> int:
        return sum(map(len, self.cache.read(item)))

    def _write_record(self, name: str) -> int:
        text = b"trial\n"  # no lease: it has no time
        self.cache.write_record(name, text)
        self.written = (*self.written, name)
        if self.cache.record(name) != text:
            msg = "a record that was written is not what is read"
            raise WrongContent(msg, where=name)
        return 0

    def list(self) -> int:
        """Look for an object of others, the largest of a few."""
        for _ in self.cache.entries(LEASES):
            break
        entries: list[CacheEntry] = []
        for entry in self.cache.entries(OBJECTS):
            if is_object(entry.name) and entry.name not in self.written:
                entries.append(entry)
            if len(entries) == _ENOUGH:
                break
        if entries:
            largest = max(entries, key=lambda entry: entry.size)
            self.sample = Digest(largest.name.rpartition("/")[2], largest.size)
        return 0

    def read_sample(self) -> int:
        return self._read(self.sample) if self.sample else 0

    def remove(self) -> int:
        for name in self.written:
            self.cache.remove(name)
        return 0


_ENOUGH = 20
"""Entries of a list of which one is read."""
