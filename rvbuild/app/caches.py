"""The caches that are set: where, for what, whether they answer, and what they gave so far.

Knows: settings, totals, and how a cache is asked whether it is there. Must not know: how that is
shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from attrs import frozen

from rvbuild.app.cache_notes import public_address
from rvbuild.app.cache_progress import cache_progress
from rvbuild.app.run_caches import PATIENCE, RunCache, opened
from rvbuild.app.session import Session
from rvbuild.caches.collect import Collection, Collector
from rvbuild.caches.inventory import FileCount, Inventory, take_inventory
from rvbuild.caches.lease import Lease
from rvbuild.caches.lease_text import SOMEBODY
from rvbuild.caches.marked import has_mark, require_mark
from rvbuild.caches.names import LEASES
from rvbuild.caches.trial import TrialStep, try_cache
from rvbuild.core.cache_text import read_cache_text
from rvbuild.core.cache_totals import CacheTotals
from rvbuild.core.errors import CacheError
from rvbuild.core.events import Phase

__all__ = [
    "Answered",
    "CacheTrial",
    "CacheView",
    "Collection",
    "FileCount",
    "Inventory",
    "TrialStep",
    "collect_cache",
    "collection_lease",
    "list_caches",
    "one_cache",
    "one_marked_cache",
    "probe_cache",
    "view_inventory",
]

_AT_ONCE = 16
OFF = "off"


@frozen(kw_only=True)
class Answered:
    """How a cache answered: in how many seconds, or why it did not; ``empty``: nobody wrote it."""

    seconds: float = 0.0
    empty: bool = False
    problem: CacheError | None = None


@frozen(kw_only=True)
class CacheView:
    """A cache that is set.

    Attributes:
        name: What it is called.
        address: Where it is, without a login; empty if it is off.
        mode: ``read``, ``write``, ``read+write`` or ``off``.
        origin: The file, the variable, or ``command line``.
        answered: None: it was not asked, as it is off, or this run is offline.
        totals: What it gave this store and cost; None: nothing yet.
    """

    name: str
    address: str
    mode: str
    origin: str
    answered: Answered | None
    totals: CacheTotals | None


@frozen(kw_only=True)
class CacheTrial:
    """What a cache lets us do.

    Attributes:
        name: What it is called.
        address: Where it is, without a login.
        steps: Each thing that was tried.
    """

    name: str
    address: str
    steps: tuple[TrialStep, ...]

    def refuse_failures(self) -> None:
        """See that it can be used as it is set.

        Raises:
            RvbuildError: it cannot.
        """
        for step in self.steps:
            if step.problem and step.is_needed:
                raise step.problem


def list_caches(session: Session) -> list[CacheView]:
    """Each cache that is set, the stronger first; all are asked at once whether they answer.

    Raises:
        CacheRefused: what was set is no address of a cache.
    """
    with opened(session) as caches:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = dict(
                zip((c.name for c in caches.caches), pool.map(_ask, caches.caches), strict=True)
            )
        origins = session.workspace.settings.origins("caches")
        return [
            _view(session, key.removeprefix("caches."), str(value), origin, answers)
            for key, (value, origin) in origins
        ]


def _view(
    session: Session, name: str, value: str, origin: str, answers: dict[str, Answered]
) -> CacheView:
    text = read_cache_text(value)
    if text is None:
        return CacheView(name=name, address="", mode=OFF, origin=origin, answered=None, totals=None)
    address = public_address(text)
    has_store = session.workspace.has_store
    return CacheView(
        name=name,
        address=address,
        mode="+".join(["read"] * text.reads + ["write"] * text.writes),
        origin=origin,
        answered=answers.get(name),
        totals=session.store.cache_totals.totals(name, address) if has_store else None,
    )


def _ask(cache: RunCache) -> Answered:
    began = time.monotonic()
    try:
        with cache.budget.waiting():
            empty = not has_mark(cache.cache, cache.address)
    except CacheError as error:
        return Answered(problem=error, seconds=time.monotonic() - began)
    return Answered(empty=empty, seconds=time.monotonic() - began)


def probe_cache(session: Session, name: str) -> CacheTrial:
    """Try what a cache lets us do; where it is set to be written, a small object is written.

    Raises:
        UsageError: there is no such cache.
    """
    with one_cache(session, name) as cache:
        writes = cache.text.writes
        steps = tuple(try_cache(cache.cache, cache.address, time.monotonic, writes=writes))
        return CacheTrial(name=name, address=cache.address, steps=steps)


def view_inventory(session: Session, name: str) -> Inventory:
    """What a cache holds.

    Raises:
        UsageError: there is no such cache.
        CacheError: it is none, or cannot be listed.
    """
    with (
        one_marked_cache(session, name) as cache,
        cache_progress(session.report, name, Phase.COUNT) as tell,
    ):
        return take_inventory(cache.cache, tell)


def collect_cache(
    session: Session, name: str, most: int | None = None, *, dry: bool = False
) -> Collection:
    """Remove from a cache what nobody can reach.

    Args:
        session: Whose run it is.
        name: The cache's.
        most: Bytes of objects that may stay beyond what targets need; None: any number.
        dry: Whether only to say what would go.

    Raises:
        UsageError: there is no such cache.
        CacheError: it is none, it cannot be listed, it does not let us, or somebody pushes.
    """
    with (
        one_marked_cache(session, name) as cache,
        cache_progress(session.report, name, Phase.COLLECT) as tell,
    ):
        lease = collection_lease(session, cache)
        return Collector(cache.cache, lease, cache.address, most, tell=tell).run(dry=dry)


def collection_lease(session: Session, cache: RunCache) -> Lease:
    """The lease to collect a cache with."""
    settings = session.workspace.settings
    owner = settings.signing_key or settings.builder or SOMEBODY
    return Lease(cache.cache, cache.address, time.time, owner)


@contextmanager
def one_marked_cache(session: Session, name: str) -> Iterator[RunCache]:
    """A cache that is set, and is one; it is waited for as a push does.

    Raises:
        UsageError: there is no such cache, or this run is offline.
        CacheError: it does not answer, has no lists, or is no cache: it has no mark, or another.
    """
    with one_cache(session, name, wait=PATIENCE) as cache:
        for _ in cache.cache.entries(LEASES):  # whoever has no lists says so first
            break
        require_mark(cache.cache, cache.address)
        yield cache


@contextmanager
def one_cache(session: Session, name: str, *, wait: float | None = None) -> Iterator[RunCache]:
    """A cache that is set.

    Args:
        session: Whose run it is.
        name: The cache's.
        wait: Seconds to wait for each sign of progress; None: as long as its budget has time.

    Raises:
        UsageError: there is no such cache, or this run is offline.
    """
    with opened(session, (name,), wait=wait) as caches:
        (cache,) = caches.caches
        yield cache
