"""Ready-to-mount trees, and how one is registered.

Knows: the order in which a tree becomes durable. Must not know: where files come from.

A tree is registered by its mark, ``trees/ab/HASH.tree``: a hard link to the blob of its
``Tree`` message, made when all else of the tree has its name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import NoReturn

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Damaged, StoreError, VerificationError
from rvbuild.core.overlay import union
from rvbuild.core.ports.callbacks import Taken, Wanted
from rvbuild.core.tree import DirectoryNode, File, Node, Symlink, Tree
from rvbuild.files.folder import A_FOLDER, WrongKind, kind_at, open_file
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.stores.barrier import Barrier
from rvbuild.stores.blob_shelves import BlobShelves, is_blob
from rvbuild.stores.blobs import LocalCas
from rvbuild.stores.capture import take_folder
from rvbuild.stores.layout import PLAIN, REPAIR, Layout, guarded, missing_tree, store_error
from rvbuild.stores.locks import LocalLocks
from rvbuild.stores.records import create, read_record
from rvbuild.stores.shelf import Shelf
from rvbuild.stores.staging import LEFT, MESSAGE, TREE, Staging, staged
from rvbuild.stores.writer import LocalWriter


class LocalTrees:
    """The trees of the store at ``layout``: ``Trees``, ``MountableTrees``, ``Capturer``.

    Args:
        layout: The store's.
        cas: Its blobs, of which trees are made.
        locks: Held while a tree takes shape.
        barrier: Makes what was written durable.
        durable: Whether it has to be.
    """

    def __init__(
        self, layout: Layout, cas: LocalCas, locks: LocalLocks, barrier: Barrier, *, durable: bool
    ) -> None:
        self._layout = layout
        self._cas = cas
        self._locks = locks
        self._barrier = barrier
        self._durable = durable

    def has_tree(self, root: Digest) -> bool:
        """Whether the tree is registered and its folder there; what both say is not looked at.

        Raises:
            StoreError: something else is in a place on the way.
        """
        path = self.path(root)
        with (
            guarded(path, "read"),
            suppress(FileNotFoundError),
            self._layout.above(path) as (at, name),
        ):
            mark = os.stat(f"{name}.tree", dir_fd=at, follow_symlinks=False)
            top = os.stat(name, dir_fd=at, follow_symlinks=False)
            return stat.S_ISREG(mark.st_mode) and stat.S_ISDIR(top.st_mode)
        return False

    def path(self, root: Digest) -> str:
        return self._layout.tree(root.hash)

    def tree(self, root: Digest) -> Tree:
        """Every directory of the tree.

        Raises:
            MissingObject: it is missing.
            VerificationError: its ``Tree`` message is damaged.
            StoreError: it could not be read.
        """
        path, message = self._mark(root), self._message(root)
        try:
            tree = Tree.decode(message)
        except VerificationError as error:
            raise Damaged(error.message, where=path, hint=REPAIR) from error
        if tree.root != root:
            msg = "a Tree message of the store is damaged: its root has another digest"
            raise Damaged(msg, where=path, hint=REPAIR)
        return tree

    def _message(self, root: Digest) -> bytes:
        path = self._mark(root)
        with guarded(path, "read"):
            try:
                return read_record(self._layout, path)
            except FileNotFoundError:
                raise missing_tree(path) from None

    def refuse_changed(self, root: Digest) -> None:
        """See that files and folders of a tree are as they were written, as stat(2) tells.

        Where the time is another than the one timestamp, or something may have happened to the
        inode since the mark was made (git's "racy" rule), the content is looked at. It may only
        have been a further link; so the mark gets a new change time then, unless something
        happens again meanwhile.

        Raises:
            MissingObject: it is missing.
            VerificationError: something was changed, put there, or taken away.
        """
        directories, mark = self.tree(root).directories, self._mark(root)
        with guarded(mark, "read"):
            since = os.stat(mark, follow_symlinks=False).st_ctime_ns
        stack, younger = [(self.path(root), root)], dict[str, int]()
        while stack:
            folder, digest = stack.pop()
            entries = directories[digest].entries
            there = _folder_as_written(folder, entries, since) or _refuse(folder)
            younger |= {folder: there.st_ctime_ns} if there.st_ctime_ns >= since else {}
            for name, node in entries.items():
                path = f"{folder}/{name}"
                if isinstance(node, DirectoryNode):
                    stack.append((path, node.digest))
                elif isinstance(node, File):
                    there = _file_as_written(path, node, since) or _refuse(path)
                    younger |= {path: there.st_ctime_ns} if there.st_ctime_ns >= since else {}
        if younger:
            _renew(mark, younger)

    def settle(self) -> None:
        """Return when all that was done so far is durable."""
        self._barrier.wait()

    @contextmanager
    def new_tree(self) -> Iterator[LocalWriter]:
        """A writer; what is not committed when the context ends is gone."""
        with self._writer(lambda: None) as writer:
            yield writer

    @contextmanager
    def _writer(self, wanted: Wanted) -> Iterator[LocalWriter]:
        with (
            self._locks.shared(),
            staged(self._layout) as staging,
            self._cas.shelves(staging) as shelves,
        ):
            register = partial(self._register_written, staging, shelves)
            yield LocalWriter(staging, shelves, register, wanted, self._barrier.wrote)

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Tree:
        """Register the union of trees, each laid at its path, by hard links where it can.

        Raises:
            MissingObject: a part is missing.
            VerificationError: two parts have different things at one path.
            StoreError: the store could not be written.
        """
        with self._locks.shared():
            tree = union([(at, self.tree(root)) for at, root in parts])
            self.assemble(tree)
        return tree

    def capture(self, directory: str, taken: Taken) -> Tree:
        """Take a folder into the store, each file as a new inode; see ``core.ports``.

        Raises:
            VerificationError: it holds what a tree cannot (a socket, a device, a FIFO).
            StoreError: it could not be read, or the store could not be written.
        """
        with self._writer(partial(taken, 0, 0)) as writer:
            take_folder(directory, writer, taken)
            return writer.commit()

    def assemble(self, tree: Tree) -> None:
        """Register a tree whose blobs are in the store.

        Raises:
            StoreError: a blob is missing, or the store could not be written.
        """
        if self.has_tree(tree.root):
            return
        with (
            self._locks.shared(),
            staged(self._layout) as staging,
            self._cas.shelves(staging) as shelves,
        ):
            self._lay_out(staging, shelves, tree)
            message = _write_message(staging, tree, durable=self._durable)
            if shelves.has_copies:
                self._barrier.wait()
            self._register(staging, shelves, tree.root, message)

    def _lay_out(self, staging: Staging, shelves: BlobShelves, tree: Tree) -> None:
        folders: list[str] = []
        stack = [("", tree.root)]
        while stack:
            path, digest = stack.pop()
            folders.append(path)
            try:
                if path:
                    staging.make_folder(path)
                prefix = f"{path}/" if path else ""
                for name, node in tree.directories[digest].entries.items():
                    if isinstance(node, DirectoryNode):
                        stack.append((prefix + name, node.digest))
                    elif isinstance(node, Symlink):
                        staging.make_symlink(prefix + name, node.target)
                    else:
                        self._place_file(staging, shelves, prefix + name, node)
            except OSError as error:
                raise store_error(error, f"{staging.tree}/{path}") from error
        with guarded(staging.tree):
            for path in reversed(folders):
                staging.finish_folder(path)

    def _place_file(self, staging: Staging, shelves: BlobShelves, path: str, node: File) -> None:
        try:
            shelves.place(node.digest, path, staging.at, executable=node.executable)
        except KeyError:
            where = self._layout.blob(node.digest.hash)
            msg = f"a blob that {path} needs is missing from the store"
            raise StoreError(msg, where=where, hint=REPAIR) from None

    def _mark(self, root: Digest) -> str:
        return self._layout.tree(root.hash) + ".tree"

    def _register_written(
        self, staging: Staging, shelves: BlobShelves, tree: Tree, writer: LocalWriter
    ) -> None:
        if self.has_tree(tree.root):
            self._barrier.wait()  # another process may be about to make it durable
            return
        message = _write_message(staging, tree, durable=False)
        self._barrier.wait()
        writer.settle()
        self._register(staging, shelves, tree.root, message)

    def _register(
        self, staging: Staging, shelves: BlobShelves, root: Digest, message: Digest
    ) -> None:
        """Name the folder, then its mark. All content is durable, all blobs have names."""
        base = staging.base
        with guarded(self.path(root)), Shelf(self._layout, self._layout.trees) as trees:
            shelves.adopt(MESSAGE, base, message, executable=False)
            with self._locks.lock("trees"):
                if not self.has_tree(root):
                    _place(staging, trees, root)
                    mark = f"{trees.place(root.hash)}.tree"
                    os.link(MESSAGE, mark, src_dir_fd=base, dst_dir_fd=trees.fd)
        self._barrier.wait()


def _write_message(staging: Staging, tree: Tree, *, durable: bool) -> Digest:
    data = tree.encode()
    with guarded(staging.path):
        create(MESSAGE, data, PLAIN, staging.base, durable=durable)
    return Digest.of(data)


def _place(staging: Staging, trees: Shelf, root: Digest) -> None:
    place = trees.place(root.hash)
    try:
        os.rename(TREE, place, src_dir_fd=staging.base, dst_dir_fd=trees.fd)
    except NotADirectoryError as error:
        where = f"{trees.path}/{place}"
        raise WrongKind(where, kind_at(place, trees.fd), A_FOLDER) from error
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        # Left by a crash between the two names: never used, for it has no mark.
        os.rename(place, LEFT, src_dir_fd=trees.fd, dst_dir_fd=staging.base)
        os.rename(TREE, place, src_dir_fd=staging.base, dst_dir_fd=trees.fd)


def _refuse(path: str) -> NoReturn:
    msg = "a result was changed in the store"
    raise Damaged(msg, where=path, hint=REPAIR)


def _renew(mark: str, younger: Mapping[str, int]) -> None:
    """Let a mark be younger than what was found right; a store may be there to read only."""
    with suppress(OSError):
        if all(os.lstat(path).st_ctime_ns == then for path, then in younger.items()):
            os.utime(mark, ns=(EPOCH_NS, EPOCH_NS), follow_symlinks=False)


def _folder_as_written(path: str, entries: Mapping[str, Node], since: int) -> os.stat_result | None:
    try:
        there = os.stat(path, follow_symlinks=False)
        if not stat.S_ISDIR(there.st_mode):  # a link may lead to a folder that looks the same
            return None
        if there.st_mtime_ns == EPOCH_NS and there.st_ctime_ns < since:
            return there
        links = {name: node for name, node in entries.items() if isinstance(node, Symlink)}
        same = set(os.listdir(path)) == entries.keys() and all(
            os.readlink(f"{path}/{name}") == node.target for name, node in links.items()
        )
    except OSError:
        return None
    return there if same else None


def _file_as_written(path: str, node: File, since: int) -> os.stat_result | None:
    try:
        there = os.stat(path, follow_symlinks=False)
        if not is_blob(there, node.digest, executable=node.executable):
            return None
        if there.st_mtime_ns == EPOCH_NS and there.st_ctime_ns < since:
            return there
        with open(open_file(path), "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == node.digest.hash
    except OSError:
        return None
    return there if same else None
