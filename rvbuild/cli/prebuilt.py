"""Whose programs a source has.

Knows: where the kinds of sources say it. Must not know: locks, stores, targets.

What lies inside an archive, a git tree or a Go module is not looked at: those are sources,
unless their recipe says otherwise.
"""

from __future__ import annotations

import re

from rvbuild.core.recipe import MACHINES, DebianSpec, SourceSpec, UrlSpec
from rvbuild.core.source import DebianPackage, GoToolchain, Source, Wheel

_WHEEL = re.compile(rf"_({'|'.join(MACHINES)})\.whl\Z")


def machine_of(source: Source) -> str:
    """The machine that a source has programs for, by Go's name; ``all`` or empty: none's."""
    if isinstance(source, DebianPackage):
        return source.architecture
    if isinstance(source, GoToolchain):
        return source.platform.rpartition("-")[2]
    found = _WHEEL.search(source.filename) if isinstance(source, Wheel) else None
    return MACHINES[found[1]] if found else ""


def said_machine(spec: SourceSpec) -> str:
    """The machine that a recipe names with `architecture:`; empty if it names none."""
    return spec.architecture if isinstance(spec, (DebianSpec, UrlSpec)) else ""
