"""Views: results as people see them, in inodes that no build reads.

Knows: how a view is made of a tree, and how an edit is noticed. Must not know: who looks.

A view is right while its stamp is: one hash over name, mode, inode, size and times of all
that is in it, which its mark holds. Only what was changed before the mark's own change time
can be told so (git's "racy" rule); else the content is compared with the tree. The stamp is
of a moment before the comparison, or before anybody can see the view: no later edit is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable

from attrs import frozen

from rvbuild.core.errors import Damaged
from rvbuild.core.tree import DirectoryNode, File, Node, Symlink, Tree
from rvbuild.files.folder import A_FOLDER, NOTHING, WrongKind, kind_at, open_file
from rvbuild.files.timestamp import EPOCH_NS
from rvbuild.files.walk import below
from rvbuild.stores.inode import copy
from rvbuild.stores.layout import EXECUTABLE, FOLDER, PLAIN, REPAIR, Layout, guarded
from rvbuild.stores.local import LocalStore
from rvbuild.stores.records import put_record, read_record
from rvbuild.stores.shape import VIEW_MARK
from rvbuild.stores.staging import TREE, staged

_TICKS = 20
_TICK = 0.002  # seconds; a kernel's clock moves on within 10 ms


@frozen(kw_only=True)
class View:
    """Where a result is for people, and where their edit of it is now, if there was one."""

    path: str
    aside: str = ""

    @property
    def mark(self) -> str:
        """The file that says since when the view is as it was made."""
        return self.path + VIEW_MARK


def view(store: LocalStore, tree: Tree) -> View:
    """The view of a tree of the store: the one that there is, or a fresh one.

    Raises:
        VerificationError: the tree itself is not what its name says.
        StoreError: it could not be made.
    """
    root = tree.root.hash
    layout, path = store.layout, store.layout.view(root)
    with store.locks.shared(), store.locks.lock(f"view {root}"), guarded(path):
        with layout.above(path, make=True) as (at, name):
            kind = kind_at(name, at)
        if kind == A_FOLDER and _is_right(store.layout, tree, path):
            return View(path=path)
        aside = "" if kind == NOTHING else set_aside(layout, path)
        with staged(layout) as staging, layout.above(path) as (at, name):
            copy_out(store, tree, staging.at)
            store.trees.settle()  # there may be links to it already
            _mark(layout, path, *_stamp(staging.tree))
            os.rename(TREE, name, src_dir_fd=staging.base, dst_dir_fd=at)
    return View(path=path, aside=aside)


def copy_out(store: LocalStore, tree: Tree, at: int, *, writable: bool = False) -> None:
    """Fill the empty open folder ``at`` with a copy of a tree, in new inodes.

    Args:
        store: Has the tree.
        tree: What is copied.
        at: The folder.
        writable: Whether its owner may write the files.

    Raises:
        VerificationError: the tree is not what its name says.
        OSError: the disk could not take it.
    """
    top = store.mountable.path(tree.root)
    source = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        folders, stack = [], [("", tree.root)]
        while stack:
            prefix, digest = stack.pop()
            folders.append(prefix)
            for name, node in tree.directories[digest].entries.items():
                path = prefix + name
                if isinstance(node, DirectoryNode):
                    os.mkdir(path, FOLDER, dir_fd=at)
                    stack.append((f"{path}/", node.digest))
                elif isinstance(node, Symlink):
                    os.symlink(node.target, path, dir_fd=at)
                    os.utime(path, ns=(EPOCH_NS, EPOCH_NS), dir_fd=at, follow_symlinks=False)
                elif not _copied(path, source, at, node, 0o200 if writable else 0):
                    msg = "a result was changed in the store"
                    raise Damaged(msg, where=f"{top}/{path}", hint=REPAIR)
        for folder in reversed(folders):
            os.chmod(folder or ".", FOLDER, dir_fd=at)
            os.utime(folder or ".", ns=(EPOCH_NS, EPOCH_NS), dir_fd=at)
    finally:
        os.close(source)


def _copied(path: str, source: int, at: int, node: File, more: int) -> bool:
    """Whether the file was what the tree says of it, as it was copied."""
    try:
        reader = open_file(path, source)
    except (WrongKind, FileNotFoundError, NotADirectoryError):
        return False
    try:
        digest = copy(reader, path, at, (EXECUTABLE if node.executable else PLAIN) | more)
    finally:
        os.close(reader)
    return digest == node.digest


def is_copy(tree: Tree, folder: str) -> bool:
    """Whether a folder has the content of a tree, each file hashed; times do not matter."""
    stack = [(folder, tree.root)]
    try:
        while stack:
            here, digest = stack.pop()
            entries = tree.directories[digest].entries
            if not stat.S_ISDIR(os.lstat(here).st_mode) or set(os.listdir(here)) != entries.keys():
                return False
            for name, node in entries.items():
                if isinstance(node, DirectoryNode):
                    stack.append((f"{here}/{name}", node.digest))
                elif not _is_node(f"{here}/{name}", node):
                    return False
    except OSError:
        return False
    return True


def _is_node(path: str, node: Node) -> bool:
    there = os.lstat(path)
    if isinstance(node, Symlink):
        return stat.S_ISLNK(there.st_mode) and os.readlink(path) == node.target
    if not (isinstance(node, File) and stat.S_ISREG(there.st_mode)):
        return False
    if (bool(there.st_mode & stat.S_IXUSR), there.st_size) != (node.executable, node.digest.size):
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == node.digest.hash


def _is_right(layout: Layout, tree: Tree, path: str) -> bool:
    if is_as_marked(layout, path):
        return True
    try:
        stamp, newest = _stamp(path)
    except OSError:  # somebody took the right to read it
        return False
    if not is_copy(tree, path):
        return False
    with contextlib.suppress(OSError):  # a store to read only is looked at again each time
        _mark(layout, path, stamp, newest)
    return True


def is_as_marked(layout: Layout, path: str) -> bool:
    """Whether nobody has changed anything in a view since its mark was written."""
    try:
        stamp, newest = _stamp(path)
        right = read_record(layout, path + VIEW_MARK) == stamp
        return right and newest < os.lstat(path + VIEW_MARK).st_ctime_ns
    except OSError:
        return False


def _mark(layout: Layout, path: str, stamp: bytes, newest: int) -> None:
    """Write the mark, and again until it is younger than all that it speaks of."""
    for _ in range(_TICKS):
        put_record(layout, path + VIEW_MARK, stamp, durable=False)
        if os.lstat(path + VIEW_MARK).st_ctime_ns > newest:
            return
        time.sleep(_TICK)


def _stamp(folder: str) -> tuple[bytes, int]:
    """A hash over the stat data of all that is there, and the newest change time.

    Without the folder's own change time: it gets its name after its stamp.
    """
    hasher, top, newest = hashlib.sha256(), os.lstat(folder), 0
    hasher.update(repr((top.st_mode, top.st_ino, top.st_mtime_ns)).encode())
    for entry in below(folder):
        there = entry.stat(follow_symlinks=False)
        newest = max(newest, _add(hasher.update, entry.path[len(folder) :], there))
    return hasher.hexdigest().encode(), newest


def _add(update: Callable[[bytes], None], path: str, there: os.stat_result) -> int:
    times = (there.st_mtime_ns, there.st_ctime_ns)
    update(os.fsencode(path) + repr((there.st_mode, there.st_ino, there.st_size, times)).encode())
    return there.st_ctime_ns


def set_aside(layout: Layout, path: str) -> str:
    """Move what somebody made of a view to ``damaged/``; where it is then.

    Raises:
        OSError: it could not be moved.
    """
    moment = time.strftime("%Y-%m-%dT%H-%M-%S")
    inside = os.path.relpath(path, layout.root)
    kept = f"{layout.damaged}/{moment}-{secrets.token_hex(4)}/{inside}"
    with layout.above(path) as (here, name), layout.above(kept, make=True) as (there, other):
        os.rename(name, other, src_dir_fd=here, dst_dir_fd=there)
    return kept
