"""The closure of targets, told to people: every source by kind, then what is prebuilt.

Knows: the order of its lines. Must not know: where rows come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rvbuild.app.descriptions import SHORT
from rvbuild.app.source_inventory import SourceStatus


def by_kind(holdings: Iterator[SourceStatus]) -> list[SourceStatus]:
    """Sorted by kind, then by name."""
    return sorted(
        holdings,
        key=lambda held: (held.description.kind, held.description.name, held.derivation or ""),
    )


def prebuilt(holdings: Sequence[SourceStatus], targets: Sequence[str]) -> dict[str, list[str]]:
    """For each architecture of targets, the sources with programs for it that are no tools."""
    return {
        arch: [held.description.name for held in holdings if held.machine == arch]
        for arch in targets
    }


def closure_lines(
    holdings: Sequence[SourceStatus], prebuilt_for: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """A line a source, one with the counts, and at the end what is prebuilt for the targets."""
    for held in holdings:
        yield _line(held, prebuilt_for)
    counts = Counter(held.description.kind for held in holdings)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield f"{len(holdings)} sources: {told}" if holdings else "no sources"
    for arch, names in prebuilt_for.items():
        yield from (f"prebuilt for {arch}: {name}" for name in names)
        if not names:
            yield f"nothing prebuilt for {arch}"


def _line(held: SourceStatus, prebuilt_for: Mapping[str, Sequence[str]]) -> str:
    told = held.description
    machine = f"  (for {held.machine})" if held.machine in prebuilt_for else ""
    state = "" if held.stored else "  (not in the store)"
    state = state if held.derivation else "  (not in the lock)"
    places = " or ".join(told.places)
    return f"{told.kind:<13} {told.name}  {told.short:<{SHORT}}  {places}{machine}{state}"
