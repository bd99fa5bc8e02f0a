"""What a suite has now for the packages that a recipe names."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.spec_text import spec_text
from rvbuild.kinds.debian.resolve import Packages, resolve
from rvbuild.kinds.debian.spec import DebianSpec


class Suites(Packages, Protocol):
    """Also says when a suite's index was made; see kinds/debian/fetch."""

    def snapshot(self, suite: str, earlier: Snapshot | None) -> Snapshot | None: ...


def version_word(spec: DebianSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`: a suite has no version that is chosen."""
    del spec
    return "suite"


def upstream(spec: DebianSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`: each list of packages is its own."""
    return spec_text(spec)


def ask(spec: DebianSpec, context: ResolveContext, client: Suites) -> Renewal:
    """See `rvbuild.kinds.modules.CandidatesModule`.

    If the index is the one that a lock has the same packages from, they are not looked up in it.
    """
    entry = context.earlier
    if entry and entry.snapshot and entry.spec == spec_text(spec):
        snapshot = client.snapshot(spec.suite, entry.snapshot)
        if snapshot == entry.snapshot:
            return Renewal(name=str(snapshot), parts=entry.parts)
    parts = resolve(spec, context, client)
    return Renewal(name=str(next((p.snapshot for p in parts if p.snapshot), "")), parts=parts)
