"""What two versions of a program can be compared by: its sections, and what Go linked into it.

Knows: ELF files. Must not know: where a program is, what a difference means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from attrs import field, frozen

from rvbuild.core.component import Component, ComponentChange, compare_components
from rvbuild.core.elf_tables import MAGIC, ByteView, read_tables
from rvbuild.core.errors import Malformed
from rvbuild.core.isa.go_program import GoBuild, read_build
from rvbuild.core.semver import SemanticVersion


@frozen(kw_only=True)
class SectionChange:
    """The bytes of a section, or of all of a name; None where a side has none."""

    name: str
    old: int | None
    new: int | None


@frozen(kw_only=True)
class ProgramChange:
    """A program of two results.

    Attributes:
        path: Where both have it.
        old_go: The version of Go that built the former one; empty if none did.
        new_go: The same now.
        sections: Those of another size, by name.
        modules: What became of the Go modules that are linked, by the paths that are imported.
    """

    path: str
    old_go: str
    new_go: str
    sections: tuple[SectionChange, ...]
    modules: tuple[ComponentChange, ...]


@frozen(kw_only=True)
class ProgramFacts:
    """A program: the sizes of its sections, Go's version, and its modules."""

    sections: Mapping[str, int] = field(factory=dict)
    go: str = ""
    modules: tuple[Component, ...] = ()

    @classmethod
    def read(cls, data: ByteView) -> Self | None:
        """Read an ELF file; None if it is none, or is damaged."""
        if data[: len(MAGIC)] != MAGIC:
            return None
        try:
            tables = read_tables(data)
            build = read_build(tables)
        except Malformed:
            return None
        sections: dict[str, int] = {}
        for each in tables.sections:
            if each.name:
                sections[each.name] = sections.get(each.name, 0) + each.size
        return cls(
            sections=sections,
            go=build.version if build else "",
            modules=tuple(_linked(build)) if build else (),
        )


def compare_programs(path: str, old: ProgramFacts, new: ProgramFacts) -> ProgramChange:
    """What differs between two versions of a program."""
    names = sorted({*old.sections, *new.sections})
    pairs = ((name, old.sections.get(name), new.sections.get(name)) for name in names)
    return ProgramChange(
        path=path,
        old_go=old.go,
        new_go=new.go,
        sections=tuple(
            SectionChange(name=name, old=then, new=now) for name, then, now in pairs if then != now
        ),
        modules=compare_components(old.modules, new.modules),
    )


def _linked(build: GoBuild) -> Iterator[Component]:
    """The modules; a version says also the path of what replaces one."""
    for each in build.modules:
        own = each.path == each.imported
        yield Component(
            kind="go-module",
            name=each.imported,
            version=each.version if own else f"{each.path}@{each.version}",
            rank=SemanticVersion.parse(each.version),
            content=[each.path, each.h1],
        )
