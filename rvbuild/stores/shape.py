"""The shape of a store: what kind of thing has its place where.

Knows: folders, shards, names. Must not know: what is in a file.

Something else in a place (a link, a FIFO, a socket, a device, a folder for a file, a name that
the store does not give) is damage, whoever left it there. It is never entered nor opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping

from attrs import field, frozen

from rvbuild.core.realisation import derivation_of
from rvbuild.files.folder import A_FILE, A_FOLDER, NOTHING, WrongKind, WrongMode, kind_at, kind_of
from rvbuild.stores.layout import FOLDER, PLAIN, Layout
from rvbuild.stores.top import BESIDE, FOLDERS, VERSION_FILE

ROOTS, FAILED, TREES, EXEC, CAS, LOCKS = "roots", "failed", "trees", "exec", "cas", "locks"
AC, REALISATIONS = "ac", "realisations"
VIEWS = "views"
CACHES = "caches"
MEMO, ACCELERATORS = "memo", "accelerators"


def places(kind: str) -> tuple[tuple[str, bool], ...]:
    """The folders of a kind of record, and whether those of accelerated results are there."""
    return (kind, False), (f"accelerated/{kind}", True)


_FLAT = {ROOTS: A_FILE, CACHES: A_FILE, LOCKS: A_FILE, MEMO: A_FILE, ACCELERATORS: A_FOLDER}
_RESULTS = tuple(top for kind in (REALISATIONS, AC) for top, _ in places(kind))
_SHARDED = (*_RESULTS, FAILED, VIEWS, TREES, EXEC, CAS)

_SHARD = re.compile(r"[0-9a-f]{2}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
MARK, VIEW_MARK = ".tree", ".view"
_MARKS = {TREES: MARK, VIEWS: VIEW_MARK}
"""What a mark's name has more than that of the folder which it is about."""

UNFINISHED = re.compile(r"damaged\.[0-9a-f]{16}")
"""The name under which a new ``damaged`` takes shape."""

Odd = Callable[[WrongKind], None]
"""Called with each thing that has no place where it is."""

_STRANGE_NAME = "a name that the store does not give"


@frozen
class Shard:
    """The folder ``path`` of the store, and the names in it that are as they must be, sorted."""

    path: str
    names: tuple[str, ...]


@frozen
class Survey:
    """The shards of each folder of a store; a folder without shards is one itself."""

    shards: Mapping[str, tuple[Shard, ...]]
    _records: dict[str, frozenset[str]] = field(factory=dict, init=False, eq=False)

    def records(self, kind: str) -> frozenset[str]:
        """The keys of all records of a kind, accelerated or not, whoever built them."""
        if kind not in self._records:
            named = (self.named(top) for top, _ in places(kind))
            self._records[kind] = frozenset(name[:64] for each in named for name, _ in each)
        return self._records[kind]

    def named(self, top: str) -> Iterator[tuple[str, str]]:
        """Name and path of everything in a folder's shards, sorted."""
        for shard in self.shards[top]:
            for name in shard.names:
                yield name, f"{shard.path}/{name}"


def survey(layout: Layout, odd: Odd) -> Survey:
    """List the whole store. What refers is listed before what it refers to: builds go on.

    Raises:
        OSError: a folder could not be listed.
    """
    wrong = set()
    for error in (*_odd_folders(layout), *_odd_names(layout)):
        wrong.add(error.path)
        odd(error)
    shards: dict[str, tuple[Shard, ...]] = {}
    for top in (*_FLAT, *_SHARDED):
        path = f"{layout.root}/{top}"
        if f"{layout.root}/{top.partition('/')[0]}" in wrong:
            shards[top] = ()
        elif top in _FLAT:
            shards[top] = (_flat(layout, path, _FLAT[top], odd),)
        else:
            shards[top] = tuple(_sharded(layout, path, odd))
    return Survey(shards)


def refuse_odd_folders(layout: Layout) -> None:
    """See that the store's own folders can be reached by their paths, through no link.

    Builds ask this: executors and mounts know paths, not descriptors, and steps write to
    accelerators.

    Raises:
        WrongKind: one of them is something else.
    """
    for error in _odd_folders(layout):
        raise error
    _flat(layout, f"{layout.root}/{ACCELERATORS}", A_FOLDER, _refuse)


def _refuse(error: WrongKind) -> None:
    raise error


def _odd_folders(layout: Layout) -> Iterator[WrongKind]:
    for name in FOLDERS:
        kind = kind_at(name, layout.fd)
        if kind not in {A_FOLDER, NOTHING}:
            yield WrongKind(f"{layout.root}/{name}", kind, A_FOLDER)


def _odd_names(layout: Layout) -> Iterator[WrongKind]:
    """What the store does not know at its top, and folders there whose mode it did not give."""
    for name in sorted(os.listdir(layout.fd)):
        path = f"{layout.root}/{name}"
        there = os.stat(name, dir_fd=layout.fd, follow_symlinks=False)
        if name == VERSION_FILE:
            if stat.S_IMODE(there.st_mode) != PLAIN:
                yield WrongMode(path, there.st_mode, PLAIN)
        elif name in FOLDERS:
            if stat.S_ISDIR(there.st_mode) and not _is_fit(there.st_mode):
                yield WrongMode(path, there.st_mode, FOLDER)
        elif name not in BESIDE and not UNFINISHED.fullmatch(name):
            yield WrongKind(path, _STRANGE_NAME, "one of its own folders")


def _is_fit(mode: int) -> bool:
    """Whether a folder's owner can use it, and not everybody write it; a umask takes the rest."""
    return mode & stat.S_IRWXU == stat.S_IRWXU and not mode & stat.S_IWOTH


def _flat(layout: Layout, path: str, wanted: str, odd: Odd) -> Shard:
    names = []
    for name, kind in _entries(layout, path, odd):
        if kind == wanted:
            names.append(name)
        else:
            odd(WrongKind(f"{path}/{name}", kind, wanted))
    return Shard(path, tuple(names))


def _sharded(layout: Layout, path: str, odd: Odd) -> Iterator[Shard]:
    for name in _flat(layout, path, A_FOLDER, odd).names:
        if _SHARD.fullmatch(name):
            yield _shard(layout, f"{path}/{name}", odd)
        else:
            odd(WrongKind(f"{path}/{name}", _STRANGE_NAME, "two digits"))


def _shard(layout: Layout, path: str, odd: Odd) -> Shard:
    names = []
    folder, shard = path.split("/")[-2:]
    for name, kind in _entries(layout, path, odd):
        digest = name.removesuffix(_MARKS.get(folder, ""))
        if folder == REALISATIONS:  # one a builder
            digest = derivation_of(name)
        wanted = A_FOLDER if folder in _MARKS and digest == name else A_FILE
        if not (_DIGEST.fullmatch(digest) and digest.startswith(shard)):
            odd(WrongKind(f"{path}/{name}", _STRANGE_NAME, "a digest"))
        elif kind != wanted:
            odd(WrongKind(f"{path}/{name}", kind, wanted))
        else:
            names.append(name)
    return Shard(path, tuple(names))


def _entries(layout: Layout, path: str, odd: Odd) -> list[tuple[str, str]]:
    try:
        with layout.above(path) as (above, name):
            mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode) and not _is_fit(mode) and "/" in path[len(layout.root) + 1 :]:
            odd(WrongMode(path, mode, FOLDER))
        with layout.folder(path) as at, os.scandir(at) as found:
            return sorted((entry.name, _kind(entry)) for entry in found)
    except FileNotFoundError:  # none of it has been made yet
        return []
    except PermissionError:
        if _is_fit(mode):
            raise
        return []  # told already
    except WrongKind as error:
        odd(error)
        return []


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_file(follow_symlinks=False):
        return A_FILE
    if entry.is_dir(follow_symlinks=False):
        return A_FOLDER
    return kind_of(entry.stat(follow_symlinks=False).st_mode)
