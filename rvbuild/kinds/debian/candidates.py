"""What a suite has now for the packages that a recipe names."""

from __future__ import annotations

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.spec_text import spec_text
from rvbuild.kinds.debian.resolve import Packages, resolve
from rvbuild.kinds.debian.spec import DebianSpec


def version_word(spec: DebianSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`: a suite has no version that is chosen."""
    del spec
    return "suite"


def upstream(spec: DebianSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`: each list of packages is its own."""
    return spec_text(spec)


def ask(spec: DebianSpec, context: ResolveContext, client: Packages) -> Renewal:
    """See `rvbuild.kinds.modules.CandidatesModule`; an index that was read is read once."""
    parts = resolve(spec, context, client)
    snapshot = next((part.snapshot for part in parts if part.snapshot), None)
    return Renewal(name=str(snapshot or ""), parts=parts)
