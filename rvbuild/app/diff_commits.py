"""The upstream logs of the sources that are other commits on two sides.

Knows: which sources these are. Must not know: git, how a log is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.core.errors import RecipeError, SourceError, StoreError, VerificationError
from rvbuild.core.names import SourceRef
from rvbuild.core.side import Side
from rvbuild.core.source import Source
from rvbuild.core.upstream_log import UpstreamLog
from rvbuild.kinds.clients import SourceClients


def upstream_logs(clients: SourceClients, old: Side, new: Side) -> tuple[UpstreamLog, ...]:
    """The log of each source, by name; what cannot be read is told with its source."""
    then, now = dict(_commits(old)), dict(_commits(new))
    return tuple(
        _log(clients, ref, then[ref], now[ref])
        for ref in sorted(then.keys() & now.keys())
        if then[ref].commit_facts["commit"] != now[ref].commit_facts["commit"]
    )


def _commits(side: Side) -> Iterator[tuple[SourceRef, Source]]:
    """The sources that are commits, by the names that both sides have."""
    for ref, entry in side.lock.sources.items():
        if entry.parts[0].commit_facts:
            yield side.source(ref), entry.parts[0]


def _log(clients: SourceClients, ref: SourceRef, old: Source, new: Source) -> UpstreamLog:
    ends = old.commit_facts["commit"], new.commit_facts["commit"]
    try:
        return UpstreamLog.of(ref, ends, clients.log(old, new))
    except (RecipeError, SourceError, StoreError, VerificationError) as error:
        return UpstreamLog(source=ref, old=ends[0], new=ends[1], problem=error)
