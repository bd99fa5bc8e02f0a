"""Whose programs a source has.

Knows: where the kinds of sources say it. Must not know: locks, stores, targets.

What lies inside an archive, a git tree or a Go module is not looked at: those are sources,
unless their recipe says otherwise.
"""

from __future__ import annotations

from rvbuild.core.architecture import ARCHITECTURES, named
from rvbuild.core.recipe import DebianSpec, SourceSpec, UrlSpec
from rvbuild.core.source import DebianPackage, GoToolchain, Source, Wheel


def machine_of(source: Source) -> str:
    """The machine that a source has programs for, by Go's name; ``all`` or empty: none's."""
    if isinstance(source, DebianPackage):
        row = named(source.architecture)
        return row.name if row else source.architecture
    if isinstance(source, GoToolchain):
        return source.platform.rpartition("-")[2]
    return _machine_of_wheel(source.filename) if isinstance(source, Wheel) else ""


def _machine_of_wheel(filename: str) -> str:
    rows = ARCHITECTURES.values()
    return next((row.name for row in rows if filename.endswith(f"_{row.machine}.whl")), "")


def said_machine(spec: SourceSpec) -> str:
    """The machine that a recipe names with `architecture:`; empty if it names none."""
    return spec.architecture if isinstance(spec, (DebianSpec, UrlSpec)) else ""
