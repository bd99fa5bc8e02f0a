"""Makes a store whole again: what is not what its name says loses its name.

Knows: what to do about each finding of a verification. Must not know: how damage is found.

Damaged bytes are never used, changed or destroyed: they go to ``damaged/``, and so does a
result that tells of what is not there. A tree that held some is dropped, with names of good
blobs only; the next build fetches or makes it anew. Where a tree's mark is damaged, nobody
can tell what its folder should hold: all of it that is no good blob goes to ``damaged/``.
What has only a wrong mode, or lacks only a name, gets it back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, field, frozen

from rvbuild.core.errors import StoreError
from rvbuild.stores.layout import EXECUTABLE, PLAIN, Layout, guarded, link, remove_tree, rename
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import Finding, examine

_MOST_ROUNDS = 20
"""What one round leads to in the next ends after a few: modes and names, then damage, then
results, then what tells of them."""


@frozen(kw_only=True)
class Repair:
    """What became of one finding.

    ``done`` is ``mended``, ``set aside`` (it is at ``kept`` now) or ``dropped`` (a tree, or
    a name that the executable twin of a blob cannot have).
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
        StoreError: another rvbuild is using the store, it could not be read or written, or
            something else changes it meanwhile.
    """
    layout = store.layout
    moment = time.strftime("%Y-%m-%dT%H-%M-%S")
    inodes: dict[int, str] = {}
    rounds = _Rounds(layout, tell, f"{layout.damaged}/{moment}-{os.getpid()}", inodes)
    with store.exclusive(), guarded(layout.root, "repair"):
        for _ in range(_MOST_ROUNDS):
            found: list[Finding] = []
            examine(layout, found.append, inodes)
            if not found:
                break
            rounds.act(found)
        else:
            msg = "the store does not stay as it was repaired: something else changes it"
            hint = "end what else writes there, then run `rvbuild store repair` again"
            raise StoreError(msg, where=layout.root, hint=hint)
        store.settle()


@define
class _Rounds:
    """Where things go, and who is told.

    ``folder`` is this repair's own; ``inodes`` maps what was hashed to its hash.
    """

    layout: Layout
    tell: Tell
    folder: str
    inodes: dict[int, str]
    _modes: dict[int, int] = field(factory=dict, init=False)
    _trees: dict[str, str] = field(factory=dict, init=False)

    def act(self, findings: Sequence[Finding]) -> None:
        mended = [self._mend(finding) for finding in findings]
        if any(mended):  # it may be all that others lack
            return
        for finding in findings:
            self._act(finding)
        for tree, problem in self._trees.items():  # now that nothing damaged is in them
            with suppress(FileNotFoundError):  # the mark itself was damaged
                os.unlink(f"{tree}.tree")
            remove_tree(tree)
            self.tell(Repair(done="dropped", path=tree, problem=problem))
        self._trees.clear()

    def _mend(self, finding: Finding) -> bool:
        """Give back a mode or a name; an inode gets one mode, its blob's before any other."""
        path = finding.path
        if finding.mode:
            inode = os.stat(path, follow_symlinks=False).st_ino
            first = self._blob_mode(path, inode) or finding.mode
            if self._modes.setdefault(inode, first) != finding.mode:
                return False
            os.chmod(path, finding.mode)
        elif finding.source:
            try:
                link(finding.source, path)
            except FileExistsError:  # two trees have told of it
                return True
        else:
            return False
        self.tell(Repair(done="mended", path=path, problem=finding.problem))
        return True

    def _act(self, finding: Finding) -> None:
        path, problem = finding.path, finding.problem
        tree = self._tree_of(path)
        if finding.mode:
            self._drop_name(path, problem, tree)
            return
        if tree and path == f"{tree}.tree":  # its folder first: without a mark nobody keeps it
            self._take_away(tree, "its mark is damaged", tree)
            self._drop_blobs_in(self._kept(tree))
        self._take_away(path, problem, tree)

    def _blob_mode(self, path: str, inode: int) -> int | None:
        """The mode of the blob that a path is a name of; a wrong link may want another."""
        blob = self.inodes.get(inode, "")
        if _same(path, self.layout.blob(blob, executable=True)):
            return EXECUTABLE
        return PLAIN if _same(path, self.layout.blob(blob)) else None

    def _drop_name(self, path: str, problem: str, tree: str | None) -> None:
        """The bytes are right, and stay under the name whose mode they have."""
        if tree:
            self._trees.setdefault(tree, problem)
        else:
            os.unlink(path)
            self.tell(Repair(done="dropped", path=path, problem=problem))

    def _drop_blobs_in(self, kept: str) -> None:
        """Take names of good blobs out of what was set aside: nobody is to write to them."""
        for folder, _, names in () if os.path.islink(kept) else os.walk(kept):
            for name in names:
                path = f"{folder}/{name}"
                if self._blob_mode(path, os.stat(path, follow_symlinks=False).st_ino):
                    os.unlink(path)

    def _kept(self, path: str) -> str:
        return f"{self.folder}/{os.path.relpath(path, self.layout.root)}"

    def _take_away(self, path: str, problem: str, tree: str | None) -> None:
        if tree is not None:
            self._trees.setdefault(tree, problem)
        if os.path.lexists(path):  # an earlier finding may have been about it
            kept = self._kept(path)
            rename(path, kept)
            self.tell(Repair(done="set aside", path=path, problem=problem, kept=kept))

    def _tree_of(self, path: str) -> str | None:
        """The folder of the tree that a path is of."""
        inside = path.removeprefix(f"{self.layout.trees}/")
        if inside == path:
            return None
        shard, name, *_ = inside.split("/")
        return f"{self.layout.trees}/{shard}/{name.removesuffix('.tree')}"


def _same(path: str, blob: str) -> bool:
    return os.path.isfile(blob) and os.path.samestat(os.lstat(path), os.lstat(blob))
