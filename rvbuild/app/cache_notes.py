"""What a run notes of caches in its store.

Knows: which facts of a run are worth it. Must not know: how they are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

from attrs import evolve

from rvbuild.app.session import Session
from rvbuild.core.cache_text import CacheText
from rvbuild.core.cache_totals import CacheTotals
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.events import Noticed
from rvbuild.core.login import SplitAddress

Change = Callable[[CacheTotals], CacheTotals]


class NamedCache(Protocol):
    """A cache that was set."""

    @property
    def name(self) -> str: ...

    @property
    def text(self) -> CacheText: ...


def note_uses(session: Session, caches: Mapping[str, CacheText], uses: Iterable[CacheUse]) -> None:
    """Add what caches gave a run to what is known of them; nothing of one that nobody asked."""
    for use in uses:
        if use.requests:
            _note(session, caches, use.name, partial(CacheTotals.with_use, use=use))


def note_push(
    session: Session,
    cache: NamedCache,
    sent: int,
    *,
    brought: Iterable[str] = (),
    owed: Iterable[str] | None = None,
) -> None:
    """Note what was brought into a cache.

    Args:
        session: Whose store it is.
        cache: The cache.
        sent: Bytes.
        brought: Targets that are there now.
        owed: Targets that are still to be brought; None: of those that were none is any more.
    """
    gone = frozenset(brought)

    def add(totals: CacheTotals) -> CacheTotals:
        left = () if owed is None else {*totals.owed, *owed} - gone
        return evolve(totals, bytes_sent=totals.bytes_sent + sent, owed=tuple(sorted(left)))

    _note(session, {cache.name: cache.text}, cache.name, add)


def owed_targets(session: Session, cache: NamedCache) -> tuple[str, ...]:
    """The targets that were to be brought into a cache, and were not."""
    try:
        totals = session.store.cache_totals.totals(cache.name, public_address(cache.text))
    except (StoreError, VerificationError):  # whoever looks after the store is told
        return ()
    return totals.owed if totals else ()


def public_address(text: CacheText) -> str:
    """Where a cache is, without a login."""
    return SplitAddress.of(text.address).public


def _note(session: Session, caches: Mapping[str, CacheText], name: str, change: Change) -> None:
    """Change what is noted; a record that cannot be kept fails no run."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    begun = CacheTotals(name=name, address=public_address(caches[name]), since=today)
    try:
        session.store.cache_totals.change(begun, change)
    except (StoreError, VerificationError) as error:
        session.report(Noticed(name, f"what it gave is not noted: {error}"))
