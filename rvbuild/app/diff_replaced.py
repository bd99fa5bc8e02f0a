"""Go modules that are had from another path, as the go.mod of each side says.

Knows: that a go.mod is read out of the store. Must not know: what a replacement is.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.core.derivation import Fetch
from rvbuild.core.errors import LockError
from rvbuild.core.go_graph import MainModule
from rvbuild.core.gomod import GO_WORK
from rvbuild.core.lock_diff import SetChange
from rvbuild.core.module_replacement import (
    ReplacedModules,
    ReplacementChange,
    compare_replacements,
)
from rvbuild.core.names import Ref, SetRef
from rvbuild.core.side import Side
from rvbuild.core.tree import file_at


def replaced_modules(
    session: Session, sides: tuple[Side, Side], sets: Iterable[SetChange]
) -> tuple[ReplacementChange, ...]:
    """The changes of sets whose go.mod of both sides is in the store; nothing is fetched."""
    reader = _Reader(session)
    changes: list[ReplacementChange] = []
    for each in sets:
        old, new = (reader.modules(side, each.name) for side in sides)
        if old and new:
            changes += compare_replacements(each.name, old, new)
    return tuple(changes)


@frozen
class _Reader:
    """Reads the go.mod of sets."""

    session: Session

    def modules(self, side: Side, name: Ref) -> ReplacedModules | None:
        """The modules of a set and what is replaced; None if a side lacks the set, or the file."""
        own = next((ref for ref in side.lock.go_modules if side.module_set(ref) == name), None)
        entry = side.lock.sources.get(own.source) if own else None
        if own is None or entry is None or not self.session.workspace.has_store:
            return None
        result = self.session.lookup()(Fetch(source=entry.parts[0]).digest)
        if result is None:
            return None
        store = self.session.store
        tree = store.trees.tree(result.output).nested()

        def read(path: str) -> bytes | None:
            node = file_at(tree, path)
            return None if node is None else store.cas.read(node.digest)

        modules = side.lock.go_modules[own].modules
        try:
            replacements = [
                each
                for file in MainModule(str(own), read, *_scope(own)).go_mods()
                for each in file.content.replacements
            ]
        except LockError:  # the lock was made of another file, by an rvbuild that read it
            return None
        return ReplacedModules(modules=modules, replacements=replacements)


def _scope(name: SetRef) -> tuple[str, bool]:
    """The module's folder, and whether a workspace counts."""
    folder = name.directory.removesuffix(GO_WORK)
    return folder.rstrip("/") or ".", folder != name.directory
