"""Sources, told to people: kind, name, digest, and the places that have it.

Knows: where each kind describes itself. Must not know: what any kind says, locks, stores.
"""

from __future__ import annotations

from attrs import evolve

from rvbuild.core.go_source import GoModule
from rvbuild.core.recipe import FromSpec, GoModulesSpec
from rvbuild.core.source import Files, Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.description import SHORT, SourceDescription
from rvbuild.kinds.table import describe_module

__all__ = [
    "SHORT",
    "SourceDescription",
    "describe_bundle",
    "describe_modules",
    "describe_source",
    "describe_spec",
]


def describe_source(source: Source) -> SourceDescription:
    """What a source by content is."""
    if isinstance(source, Files):
        return SourceDescription(kind=source.kind, name=source.label, places=("beside the recipe",))
    return describe_module(source.kind).describe_source(source)


def describe_spec(spec: SourceSpec) -> SourceDescription:
    """What a recipe asks for, when nobody has found out its content."""
    if isinstance(spec, FromSpec):
        return SourceDescription(kind="from", name=spec.recipe, places=())
    return describe_module(spec.answer.kind).describe_spec(spec)


def describe_bundle(spec: SourceSpec, count: int) -> SourceDescription:
    """A source of many packages."""
    return evolve(describe_spec(spec), name=f"{count} packages")


def describe_modules(recipe: str, spec: GoModulesSpec) -> SourceDescription:
    """The Go modules that a recipe needs, when nobody has found out which."""
    description = describe_module(GoModule.kind).describe_spec(spec)
    return evolve(description, name=f"modules of {recipe}")
