"""What a run notes of caches in its store.

Knows: which facts of a run are worth it. Must not know: how they are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from attrs import evolve

from rvbuild.app.session import Session
from rvbuild.core.cache_text import CacheText
from rvbuild.core.cache_totals import CacheTotals
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.events import Noticed
from rvbuild.core.login import SplitAddress

Change = Callable[[CacheTotals], CacheTotals]


def note_uses(session: Session, caches: Mapping[str, CacheText], uses: Iterable[CacheUse]) -> None:
    """Add what caches gave a run to what is known of them; nothing of one that nobody asked."""
    for use in uses:
        if use.requests:
            _note(session, caches, use.name, partial(CacheTotals.with_use, use=use))


def note_push(session: Session, caches: Mapping[str, CacheText], name: str, sent: int) -> None:
    """Note that so many bytes were brought into a cache."""

    def add(totals: CacheTotals) -> CacheTotals:
        return evolve(totals, bytes_sent=totals.bytes_sent + sent)

    _note(session, caches, name, add)


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
