"""The closure of targets as text for people: every source by kind, then what is prebuilt.

Knows: the order of its lines. Must not know: where rows come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from rvbuild.app.closure import Closure
from rvbuild.app.descriptions import SHORT
from rvbuild.app.source_inventory import SourceStatus


def closure_lines(closure: Closure) -> Iterator[str]:
    """A line a source, one with the counts, and at the end what is prebuilt for the targets."""
    for row in closure.sources:
        yield _line(row, closure.prebuilt)
    counts = Counter(row.description.kind for row in closure.sources)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield f"{len(closure.sources)} sources: {kinds}" if closure.sources else "no sources"
    for arch, names in closure.prebuilt.items():
        yield from (f"prebuilt for {arch}: {name}" for name in names)
        if not names:
            yield f"nothing prebuilt for {arch}"


def _line(row: SourceStatus, architectures: Container[str]) -> str:
    source = row.description
    machine = f"  (for {row.machine})" if row.machine in architectures else ""
    state = "" if row.stored else "  (not in the store)"
    state = state if row.derivation else "  (not in the lock)"
    places = " or ".join(source.places)
    return f"{source.kind:<13} {source.name}  {source.short:<{SHORT}}  {places}{machine}{state}"
