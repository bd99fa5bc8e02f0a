"""The caches that a build asks, if any are set.

Knows: when there is somebody to ask. Must not know: how. Imports what asks only then: a build
without caches does not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvbuild.app.session import Session
from rvbuild.core.cache_text import read_cache_text
from rvbuild.core.events import CacheUsed
from rvbuild.core.link import Linked

if TYPE_CHECKING:
    from rvbuild.caches.substitutes import CacheSubstitutes


def why_unasked(session: Session) -> str:
    """Why a run asks no cache, for an error: it asks none."""
    from rvbuild.transfers.addresses import local_path  # noqa: PLC0415 - see the module

    settings = session.workspace.settings
    texts = {name: read_cache_text(text) for name, text in settings.caches.items()}
    readable = [name for name, text in texts.items() if text and text.reads]
    if not any(texts.values()):
        return "none is set"
    if not readable:
        written = ", ".join(name for name, text in texts.items() if text)
        return f"none is set to be read ({written}: only to be written)"
    addresses = [text.address for text in texts.values() if text and text.reads]
    if settings.offline and not any(map(local_path, addresses)):
        return f"the run is offline, and this machine does not have {', '.join(readable)}"
    return "too few of the keys whose word counts are trusted here"


@contextmanager
def asked_caches(
    session: Session, linked: Linked, *, noted: bool = True
) -> Iterator[CacheSubstitutes | None]:
    """Takes results from the caches that are set; None: there are none, or nobody is trusted.

    At the end it is reported what each cache gave and cost, and what too few keys vouch for.

    Args:
        session: Whose run it is.
        linked: What is asked for.
        noted: Whether the store keeps what caches gave; the caller has the store shared then.

    Raises:
        UsageError: what is set of keys or caches cannot be used.
        CacheRefused: what was set is no address of a cache.
    """
    if not session.workspace.settings.caches:
        yield None
        return
    from rvbuild.app.cache_notes import note_uses  # noqa: PLC0415 - see the module
    from rvbuild.app.run_caches import opened, set_caches, substitutes  # noqa: PLC0415 - the same

    targets = {digest: str(target) for target, digest in linked.results.items()}
    with opened(session) as caches:
        asked = substitutes(session, caches, targets)
        try:
            yield asked
        finally:  # also after a failure, which a cache that was left out may explain
            uses = asked.uses if asked else ()
            for use in uses:
                session.report(CacheUsed(use))
            for shortfall in asked.shortfalls if asked else ():
                session.report(shortfall)
            if noted:
                note_uses(session, set_caches(session), uses)
