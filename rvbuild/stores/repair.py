"""Makes a store whole again: what is not what its name says loses its name.

Knows: what to do about each finding of a verification. Must not know: how damage is found.

Damaged bytes are never used, changed or destroyed: they go to ``damaged/``, and so does a
result that tells of what is not there. A tree that held some is dropped, with names of good
blobs only; the next build fetches or makes it anew. What has only a wrong mode, or lacks
only a name, gets it back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, field, frozen

from rvbuild.stores.layout import Layout, guarded, link, remove_tree, rename
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import Finding, examine


@frozen(kw_only=True)
class Repair:
    """What became of one finding.

    ``done`` is ``mended``, ``set aside`` (it is at ``kept`` now) or ``dropped`` (a tree).
    """

    done: str
    path: str
    problem: str
    kept: str = ""


Tell = Callable[[Repair], None]


def repair(store: LocalStore, tell: Tell) -> None:
    """Hash everything, and do about each finding what leaves the store whole.

    Each round takes names away or gives the right ones back; a later one does what follows
    from an earlier one. A repair that was killed leaves what the next one can go on from.

    Args:
        store: No build may be using it, in any process.
        tell: Called for each thing that was done.

    Raises:
        StoreError: a build is using the store, or it could not be read or written.
    """
    layout = store.layout
    moment = time.strftime("%Y-%m-%dT%H-%M-%S")
    rounds = _Rounds(layout, tell, f"{layout.damaged}/{moment}-{os.getpid()}")
    with store.exclusive(), guarded(layout.root, "repair"):
        inodes: dict[int, str] = {}
        found: list[Finding] = []
        examine(layout, found.append, inodes)
        while found:  # what was mended may be all that others lack
            rounds.act([each for each in found if each.mode or each.source] or found)
            found = []
            examine(layout, found.append, inodes)
        store.settle()


@define
class _Rounds:
    """Where things go, and who is told. ``folder`` is this repair's own."""

    layout: Layout
    tell: Tell
    folder: str
    _trees: dict[str, str] = field(factory=dict, init=False)

    def act(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._act(finding)
        for tree, problem in self._trees.items():  # now that nothing damaged is in them
            with suppress(FileNotFoundError):  # the mark itself was damaged
                os.unlink(f"{tree}.tree")
            remove_tree(tree)
            self.tell(Repair(done="dropped", path=tree, problem=problem))
        self._trees.clear()

    def _act(self, finding: Finding) -> None:
        path, problem = finding.path, finding.problem
        if finding.mode:
            os.chmod(path, finding.mode)
            self.tell(Repair(done="mended", path=path, problem=problem))
        elif finding.source:
            with suppress(FileExistsError):  # two trees may have told of it
                link(finding.source, path)
                self.tell(Repair(done="mended", path=path, problem=problem))
        else:
            self._take_away(path, problem, self._tree_of(path))

    def _take_away(self, path: str, problem: str, tree: str | None) -> None:
        if tree is not None:
            self._trees.setdefault(tree, problem)
        if os.path.lexists(path):  # an earlier finding may have been about it
            kept = f"{self.folder}/{os.path.relpath(path, self.layout.root)}"
            rename(path, kept)
            self.tell(Repair(done="set aside", path=path, problem=problem, kept=kept))

    def _tree_of(self, path: str) -> str | None:
        """The folder of the tree that a path is of."""
        inside = path.removeprefix(f"{self.layout.trees}/")
        if inside == path:
            return None
        shard, name, *_ = inside.split("/")
        return f"{self.layout.trees}/{shard}/{name.removesuffix('.tree')}"
