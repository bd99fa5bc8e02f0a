"""Go modules that another module stands for, on one of two sides or differently on both.

Knows: what ``replace`` of a go.mod means for the modules of a set. Must not know: where a go.mod
is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from rvbuild.core.gomod import Replacement
from rvbuild.core.names import Ref

Triple = tuple[str, str, str]
"""A Go module of a lock: its path, version and h1; after ``replace``."""


@frozen(kw_only=True)
class ReplacementChange:
    """A module of a set that is had from another path now.

    Attributes:
        name: The set's, as both sides have it.
        module: The path by which it is imported.
        old: The path and version that stood for it.
        new: Those that stand for it now.
    """

    name: Ref
    module: str
    old: str
    new: str


@frozen(kw_only=True)
class ReplacedModules:
    """The modules of a set, and what the go.mod that they are of replaces."""

    modules: Iterable[Triple]
    replacements: Iterable[Replacement]

    def by_import(self) -> Mapping[str, tuple[str, str]]:
        """What stands for each module, by the path by which it is imported."""
        replaced: dict[tuple[str, str], list[str]] = {}
        for each in self.replacements:
            replaced.setdefault((each.new, each.new_version), []).append(each.old)
        return {
            imported: (path, version)
            for path, version, _ in self.modules
            for imported in replaced.get((path, version), [path])
        }


def compare_replacements(
    name: Ref, old: ReplacedModules, new: ReplacedModules
) -> Iterator[ReplacementChange]:
    """The modules of a set that are had from another path now, by the path that is imported."""
    then, now = old.by_import(), new.by_import()
    for module in sorted(then.keys() & now.keys()):
        if then[module][0] != now[module][0]:
            yield ReplacementChange(
                name=name, module=module, old=" ".join(then[module]), new=" ".join(now[module])
            )
