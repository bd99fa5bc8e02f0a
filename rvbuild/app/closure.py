"""The closure of targets: every source by kind, then what is prebuilt.

Knows: what counts as prebuilt for a target. Must not know: where sources come from, how they
are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from rvbuild.app.source_inventory import SourceStatus


@frozen(kw_only=True)
class Closure:
    """Every source that targets need.

    Attributes:
        sources: Sorted by kind, then by name.
        prebuilt: For each architecture of the targets, the names of the sources with programs for
            it that are no tools of the build machine.
    """

    sources: tuple[SourceStatus, ...]
    prebuilt: Mapping[str, Sequence[str]]


def closure_of(sources: Iterable[SourceStatus], architectures: Iterable[str]) -> Closure:
    """Sort sources, and see which are prebuilt for one of the architectures."""
    rows = tuple(sorted(sources, key=_order))
    prebuilt = {
        architecture: [row.description.name for row in rows if row.machine == architecture]
        for architecture in architectures
    }
    return Closure(sources=rows, prebuilt=prebuilt)


def _order(row: SourceStatus) -> tuple[str, str, str]:
    return row.description.kind, row.description.name, row.derivation or ""
