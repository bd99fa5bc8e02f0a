"""Makes a store whole again: what is not what its name says loses its name.

Knows: what to do about each finding of a verification. Must not know: how damage is found.

The words: a *blob* is a file of the store, with a name in ``cas/``, in ``exec/`` (executable), or
in both. A *tree* is a folder whose files are further names of blobs, and a *mark* beside it,
``DIGEST.tree``, which says what the folder must hold. A *realisation* is the record "derivation D
has output T"; an *outcome* is the record "action A left T".

The rules:

1. Repair works in rounds. A round verifies the whole store, then acts on what it found. Repair ends
   with the first round that finds nothing.
2. Repair stops with an error after 20 rounds, because something else changes the store then.
3. A round takes the first of these kinds that it found, and leaves all else to the next round:
   first what is *odd* (rule 4), then wrong modes and lost names (5, 6), then damage (7 to 12).
4. An odd thing is of another kind than belongs in its place, or has a name that the store does not
   give. Repair moves it to ``damaged/``. Example: a folder in the place of a blob. It comes first
   because it is in the way of what belongs there. An odd thing in a tree is damage of that tree,
   too: rules 8, 12 and 13 hold for it.
5. A thing that is right but for its mode gets its mode. All names of one file share a mode: where
   two names need different modes, the file gets the one that its blob's name needs. Example: one
   file is ``exec/ab/X``, which needs 0555, and a plain file of the tree T, which needs 0444. The
   file stays 0555, and rule 10 is for its name in T.
6. A blob without its name in ``cas/`` gets it from a tree that has the blob as a file, or from the
   mark if it is the tree's message.
7. Repair moves damaged content to ``damaged/``, each name of it. Repair neither changes nor deletes
   damaged content: a person may want it.
8. Repair drops a tree in which something is damaged or missing: it deletes the mark, then the
   folder. The sound files of the tree stay as blobs. Example: of 10,000 files one is damaged; 9,999
   blobs stay.
9. Where a tree's mark is damaged, nobody can tell what its folder must hold. Repair moves the
   folder to ``damaged/``, then the mark. In the moved folder it deletes the names of sound blobs,
   so that whoever edits a file there cannot change a blob.
10. A name that cannot have the mode that it needs (rule 5) goes. In a tree, the tree is dropped as
    in rule 8. In ``cas/`` or ``exec/``, repair deletes this name only: the content is sound, and
    stays under the file's other names.
11. Repair moves a record to ``damaged/`` that is damaged, or that names what the store does not
    have. Example: the realisation "D has output T", in the round after the one that dropped T.
12. A step that read a tree in which something was damaged, missing, odd or of a wrong mode may
    have made something wrong. Before a round drops such a tree (8, 9, 10), repair moves to
    ``damaged/`` the realisations and outcomes that ``readers`` lists, and empties compile caches
    and memos.
13. In a round, rule 12 comes before all removals. Otherwise a repair that is killed in between
    would leave no trace of which tree was damaged.

For example, one bit of the blob B has flipped. B is a file of the tree T, which is the output of
the source D. The step S had T as an input, and ``./result/s`` shows its output.

- Round 1 finds B's name in ``cas/`` and its name in T. Repair empties the compile caches, moves S's
  realisation and outcome to ``damaged/`` (12), moves both names of B (7), and drops T (8).
- Round 2 finds that D's realisation names T, and that the root of ``./result/s`` names S. Repair
  moves both records (11).
- Round 3 finds nothing. The next build fetches D and runs S.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import StoreError
from rvbuild.files.descent import Descent
from rvbuild.files.folder import (
    A_FILE,
    A_FOLDER,
    NOTHING,
    Inode,
    WrongKind,
    inode_of,
    kind_at,
    set_mode,
)
from rvbuild.files.removal import clear_tree, remove_tree
from rvbuild.stores.findings import Finding
from rvbuild.stores.layout import EXECUTABLE, PLAIN, Layout, guarded
from rvbuild.stores.local import LocalStore
from rvbuild.stores.locks import STORE
from rvbuild.stores.mounts import refuse_mounts
from rvbuild.stores.readers import readers
from rvbuild.stores.records import forget_record
from rvbuild.stores.shape import ACCELERATORS, MARK, MEMO, UNFINISHED, survey
from rvbuild.stores.verify import examine
from rvbuild.stores.version import make_whole

_MOST_ROUNDS = 20
"""A sound repair takes a few: odd things, modes, names, damage, realisations, roots."""


@frozen(kw_only=True)
class Repair:
    """What became of one finding.

    ``done`` is ``mended`` (rules 5, 6), ``set aside`` (it is at ``kept`` now) or ``dropped``: a
    tree (8), a compile cache (12), or one name of a blob whose content stays under another (10).
    """

    done: str
    path: str
    problem: str
    kept: str = ""


Tell = Callable[[Repair], None]


def repair(store: LocalStore, tell: Tell) -> None:
    """Hash everything, and do about each finding what leaves the store whole.

    The next repair goes on from whatever a repair that was killed has left.

    Args:
        store: No build may be using it, in any process.
        tell: Called for each thing that was done.

    Raises:
        StoreError: another rvbuild is using the store, it could not be read or written, or
            something else changes it meanwhile.
        NewerRecord: a newer rvbuild wrote a record, and nobody here knows what it was made of;
            nothing was moved.
    """
    layout = store.layout
    moment = time.strftime("%Y-%m-%dT%H-%M-%S")
    inodes: dict[Inode, str] = {}
    rounds = _Rounds(layout, tell, f"{layout.damaged}/{moment}-{os.getpid()}", inodes)
    with store.locks.mending(), guarded(layout.root, "repair"):
        refuse_mounts(layout)
        rounds.make_way()
        with store.locks.exclusive():
            _repair(rounds)
            store.trees.settle()


def _repair(rounds: _Rounds) -> None:
    for _ in range(_MOST_ROUNDS):
        findings: list[Finding] = []
        examine(rounds.layout, findings.append, rounds.inodes, refuse_newer=True)
        if not findings:
            return
        rounds.treat(findings)
        make_whole(rounds.layout, durable=True)
    msg = "the store does not stay as it was repaired: something else changes it"
    hint = advise("end what else writes there, then ", Remedy.REPAIR)
    raise StoreError(msg, where=rounds.layout.root, hint=hint)


@define
class _Rounds:
    """Where things go, and who is told.

    ``folder`` is this repair's own; ``inodes`` maps what was hashed to its hash.
    """

    layout: Layout
    tell: Tell
    folder: str
    inodes: dict[Inode, str]
    _modes: dict[Inode, int] = field(factory=dict, init=False)
    _trees: dict[str, str] = field(factory=dict, init=False)

    def make_way(self) -> None:
        """Set aside what is in the place of the folders that a repair itself needs.

        Something in the place of ``damaged`` cannot go there: the new one takes shape under
        another name, with the odd thing in it. A repair that was killed meanwhile leaves that
        name, and the next one takes it in.
        """
        layout = self.layout
        kind = kind_at("damaged", layout.fd)
        if kind not in {A_FOLDER, NOTHING}:
            self._replace_damaged(WrongKind(layout.damaged, kind, A_FOLDER))
        for name in sorted(os.listdir(layout.fd)):
            if UNFINISHED.fullmatch(name):
                there = kind_at("damaged", layout.fd) == A_FOLDER
                kept = f"damaged/{name}" if there else "damaged"
                os.rename(name, kept, src_dir_fd=layout.fd, dst_dir_fd=layout.fd)
        for path, wanted in ((layout.locks, A_FOLDER), (f"{layout.locks}/{STORE}", A_FILE)):
            with layout.above(path) as (at, name):
                kind = kind_at(name, at)
            if kind not in {wanted, NOTHING}:
                self._take_away(path, WrongKind(path, kind, wanted).problem, None)
                layout.make_folders()

    def _replace_damaged(self, error: WrongKind) -> None:
        fd, kept = self.layout.fd, self._kept(self.layout.damaged)
        unfinished = f"damaged.{secrets.token_hex(8)}"
        new = kept.replace(self.layout.damaged, f"{self.layout.root}/{unfinished}", 1)
        with self.layout.above(new, make=True) as (into, name):
            os.rename("damaged", name, src_dir_fd=fd, dst_dir_fd=into)
        os.rename(unfinished, "damaged", src_dir_fd=fd, dst_dir_fd=fd)
        self._tell_aside(error.path, error.problem, kept)

    def treat(self, findings: Sequence[Finding]) -> None:
        """Act on one kind of the findings of a round (rule 3)."""
        odd = [finding for finding in findings if finding.odd]
        if not odd:
            mended = [self._mend(finding) for finding in findings]
            if any(mended):
                return  # a mode or a name that is right again often resolves the other findings
        self._forget_readers(odd or findings)
        for finding in odd or findings:
            self._remove(finding)
        for tree, problem in self._trees.items():  # now that nothing damaged is in them
            with suppress(FileNotFoundError), self.layout.above(tree) as (at, name):
                with suppress(FileNotFoundError):  # the mark itself was damaged
                    os.unlink(f"{name}{MARK}", dir_fd=at)
                remove_tree(name, at)
            self.tell(Repair(done="dropped", path=tree, problem=problem))
        self._trees.clear()

    def _forget_readers(self, findings: Sequence[Finding]) -> None:
        trees = {tree for finding in findings if (tree := self._tree_of(finding.path))}
        if not trees:
            return
        layout = self.layout
        there = survey(layout, lambda _: None)
        for name, path in there.named(ACCELERATORS):  # first: it may fail, on a disk of its own
            with layout.above(path) as (at, _):
                clear_tree(name, at)
            problem = "a step that read something damaged may have written here"
            self.tell(Repair(done="dropped", path=path, problem=problem))
        for reader in readers(layout, there, {os.path.basename(tree) for tree in trees}):
            self._take_away(reader.path, reader.problem, None)
        for _, path in there.named(MEMO):  # it says that a result is up to date
            forget_record(layout, path)

    def _mend(self, finding: Finding) -> bool:
        """Whether a mode or a name could be given back (rules 5, 6)."""
        path = finding.path
        if finding.mode:
            with self.layout.above(path) as (at, name):
                inode = inode_of(os.stat(name, dir_fd=at, follow_symlinks=False))
                first = self._blob_mode(inode) or finding.mode
                if self._modes.setdefault(inode, first) != finding.mode:
                    return False
                set_mode(name, finding.mode, at)
        elif finding.source:
            self._name(finding.source, path)
        else:
            return False
        self.tell(Repair(done="mended", path=path, problem=finding.problem))
        return True

    def _name(self, source: str, path: str) -> None:
        with (
            self.layout.above(source) as (folder, file),
            self.layout.above(path, make=True) as (at, name),
            suppress(FileExistsError),  # two trees have told of it
        ):
            os.link(file, name, src_dir_fd=folder, dst_dir_fd=at, follow_symlinks=False)

    def _remove(self, finding: Finding) -> None:
        path, problem = finding.path, finding.problem
        tree = self._tree_of(path)
        if finding.mode:
            self._drop_name(path, problem, tree)
            return
        if tree and path == f"{tree}{MARK}":  # its folder first: without a mark nobody keeps it
            kept = self._take_away(tree, "its mark is damaged", tree)
            self._drop_blobs_in(kept)
        self._take_away(path, problem, tree)

    def _blob_mode(self, inode: Inode) -> int | None:
        """The mode of the blob that an inode is; a wrong link may want another."""
        blob = self.inodes.get(inode, "")
        if len(blob) != 64:  # why it could not be hashed
            return None
        for executable, mode in ((True, EXECUTABLE), (False, PLAIN)):
            if self._inode(self.layout.blob(blob, executable=executable)) == inode:
                return mode
        return None

    def _inode(self, path: str) -> Inode | None:
        try:
            with self.layout.above(path) as (at, name):
                return inode_of(os.stat(name, dir_fd=at, follow_symlinks=False))
        except (FileNotFoundError, WrongKind):
            return None

    def _drop_name(self, path: str, problem: str, tree: str | None) -> None:
        """Delete one name of a file whose content is sound (rule 10)."""
        if tree:
            self._trees.setdefault(tree, problem)
        else:
            forget_record(self.layout, path)
            self.tell(Repair(done="dropped", path=path, problem=problem))

    def _drop_blobs_in(self, kept: str | None) -> None:
        """Take names of good blobs out of what was set aside: nobody is to write to them."""
        if kept is None:
            return
        try:
            with self.layout.folder(kept) as top:
                descent = Descent(top)
        except WrongKind:  # it was no folder
            return
        try:
            self._drop_blobs(descent)
            while descent.pending or not descent.is_at_top:
                if descent.pending:
                    descent.down(descent.pending.pop())
                    self._drop_blobs(descent)
                else:
                    descent.up()
        finally:
            descent.close()

    def _drop_blobs(self, descent: Descent) -> None:
        with os.scandir(descent.here) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                descent.pending.append(entry.name)
            elif self._blob_mode(inode_of(entry.stat(follow_symlinks=False))):
                os.unlink(entry.name, dir_fd=descent.here)

    def _kept(self, path: str, number: int = 0) -> str:
        folder = f"{self.folder}.{number}" if number else self.folder
        return f"{folder}/{os.path.relpath(path, self.layout.root)}"

    def _take_away(self, path: str, problem: str, tree: str | None) -> str | None:
        """Move it, whatever it is, to ``damaged/``; where it is then, if it was there at all."""
        if tree is not None:
            self._trees.setdefault(tree, problem)
        try:
            with self.layout.above(path) as (at, name):
                kept = self._moved(name, at, path)
        except FileNotFoundError:  # an earlier finding was about it, or about what it was in
            return None
        self._tell_aside(path, problem, kept)
        return kept

    def _moved(self, name: str, at: int, path: str) -> str:
        """Nothing that was set aside before is in the way: it may be somebody's words, too."""
        for number in range(_MOST_ROUNDS):
            kept = self._kept(path, number)
            with suppress(WrongKind), self.layout.above(kept, make=True) as (into, new):
                if kind_at(new, into) == NOTHING:
                    os.rename(name, new, src_dir_fd=at, dst_dir_fd=into)
                    return kept
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    def _tell_aside(self, path: str, problem: str, kept: str) -> None:
        self.tell(Repair(done="set aside", path=path, problem=problem, kept=kept))

    def _tree_of(self, path: str) -> str | None:
        """The folder of the tree that a path is of."""
        inside = path.removeprefix(f"{self.layout.trees}/")
        if inside == path or "/" not in inside:
            return None
        shard, name, *_ = inside.split("/")
        return f"{self.layout.trees}/{shard}/{name.removesuffix(MARK)}"
