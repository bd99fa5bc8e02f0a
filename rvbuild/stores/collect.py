"""Garbage collection: what nobody holds and nobody used lately goes.

Knows: in which order things go; ``live`` works out what keeps what (rules 1 to 6).
Must not know: who asks for it.

The words: a *result* is a record that collection may remove: a realisation ("derivation D has
output T"), an outcome ("action A left T"), or a failure ("the last run of D left this log").

The rules:

1. Collection reads and checks every record before it removes anything. If a record is damaged,
   names what is not there, or was written by a newer rvbuild, collection removes nothing. A root
   that is dead (rule 2) must be readable, and may name anything.
2. A root lives while its link leads into the store. A root whose link nobody can look at lives,
   too: its disk may not be mounted now.
3. A realisation lives if a living root names its derivation, or if somebody used it within the days
   to keep. A living realisation keeps the tree of its output, its log, its derivation's bytes and
   its action's outcome. It keeps none of its inputs. If a root names it, it keeps the bytes of all
   derivations below its own, as far as they are there.
4. An outcome lives as long as a realisation that names its action, and also if somebody used the
   outcome itself within these days. Example: nobody has used the outcome of A for 20 days, and
   yesterday a build reused a realisation of A. The outcome counts as used yesterday.
5. A failure lives if its step failed within these days.
6. With a largest size, collection fills it up from the newest result down. The first result that
   does not fit goes, and every older one with it, even one that would fit. Results that living
   roots name stay, however large. Example: the size is 10 GiB, and three results that nobody holds
   have 6, 5 and 1 GiB, the newest first. The first stays; the other two go.
7. A tree keeps the blobs of its files and its message. A view lives while a root's link leads into
   it. While nobody can look at some root's link (rule 2), every view of a living tree lives. A view
   that somebody edited is not deleted: it moves to ``damaged/``.
8. What is in ``damaged/`` goes after the same days; ``tmp/`` and the files of locks go always, but
   for the lock of the store itself, which collection holds, and a folder in ``tmp/`` that a process
   works in (``workroom``).
9. Collection removes records first, then marks, then the folders of trees, then blobs. A collection
   that is killed leaves something too much in the store, and never something that lacks a part.
10. Collection opens each folder without following links, and deletes by name in the open folder. So
    it deletes nothing outside of the store, whatever takes a folder's place meanwhile.

For example, ``./result/a`` leads into the store, and b was built 20 days ago. With 14 days to keep,
b's realisation and the outcome of its action go, then the mark and the folder of its tree, then the
blobs that a's tree does not share with it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NoReturn

from attrs import frozen

from rvbuild.core.advice import advise
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.files.folder import WrongKind
from rvbuild.files.removal import remove_tree
from rvbuild.stores.layout import REPAIR, Layout, guarded, store_error
from rvbuild.stores.live import DAY, Live, divide
from rvbuild.stores.local import LocalStore
from rvbuild.stores.locks import STORE
from rvbuild.stores.mounts import own_folder, refuse_mounts
from rvbuild.stores.records import forget_record
from rvbuild.stores.roots import Roots, Unseen, names_in
from rvbuild.stores.shape import (
    CAS,
    EXEC,
    LOCKS,
    MARK,
    TREES,
    VIEW_MARK,
    VIEWS,
    Survey,
    survey,
)
from rvbuild.stores.views import is_as_marked, set_aside
from rvbuild.stores.workroom import is_workroom

__all__ = ["DAY", "Collected", "collect"]


@frozen(kw_only=True)
class Collected:
    """What went, the size in bytes of the blobs that went and stayed, and what nobody could see."""

    results: int
    trees: int
    blobs: int
    freed: int
    kept: int
    unseen: tuple[Unseen, ...] = ()


def collect(store: LocalStore, *, keep_days: float, max_size: int | None = None) -> Collected:
    """Remove what no root reaches and nobody used lately; empty ``tmp/``.

    A root whose link no longer leads into the store is dropped first; one whose link cannot be
    looked at stays. What a repair set aside goes as results do.

    Args:
        store: No build may be using it, in any process.
        keep_days: What was used within so many days stays.
        max_size: Bytes of blobs that may stay (rule 6).

    Raises:
        StoreError: another rvbuild is using the store, it could not be read or written, or
            what says what is live is damaged; then nothing was removed.
    """
    layout = store.layout
    with ExitStack() as stack:
        with _nothing_collected(layout):
            refuse_mounts(layout)  # first: to take a lock makes a file
            stack.enter_context(store.locks.exclusive())
            there = survey(layout, _refuse)
            roots = store.roots.by_link()
            stay = Live(layout, there)
            go = divide(stay, (*roots.alive, *roots.unseen), keep_days, max_size)
            live_views = _live_views(layout, roots, stay)
        with guarded(layout.root, "collect garbage in"):
            for path in (*roots.dead, *(result.path for result in go)):
                forget_record(layout, path)
            trees = _sweep_trees(layout, there, stay)
            blobs, freed = _sweep_blobs(layout, there, stay)
            _sweep(layout, layout.tmp, math.inf)
            _sweep(layout, layout.damaged, time.time() - keep_days * DAY)
            _sweep_views(layout, there, live_views)
            _sweep_locks(layout, there)
    return Collected(
        results=len(go),
        trees=trees,
        blobs=blobs,
        freed=freed,
        kept=stay.size,
        unseen=roots.problems,
    )


def _live_views(layout: Layout, roots: Roots, stay: Live) -> set[str]:
    """What links show; what a link that nobody could look at shows is the view of a live tree."""
    live_views = (names_in(root.link, layout.views) for _, root in roots.alive)
    return set(stay.trees if roots.unseen else ()).union(*live_views)


def _refuse(error: WrongKind) -> NoReturn:
    raise error


@contextmanager
def _nothing_collected(layout: Layout) -> Iterator[None]:
    """Say of an error here what it means, and that nothing has gone."""
    try:
        yield
    except OSError as error:
        raise _kept_all(store_error(error, layout.root, "collect garbage in")) from error
    except (StoreError, VerificationError) as error:
        raise _kept_all(error) from error


def _kept_all(error: StoreError | VerificationError) -> StoreError:
    hint = advise("nothing was collected; ", error.hint or REPAIR)
    return StoreError(error.message, where=error.where, hint=hint)


def _sweep_trees(layout: Layout, there: Survey, live: Live) -> int:
    """Marks go before folders: a registered tree is always whole."""
    count = 0
    gone = [
        (shard.path, [name for name in shard.names if name.removesuffix(MARK) not in live.trees])
        for shard in there.shards[TREES]
    ]
    for path, names in gone:
        with own_folder(layout, path) as at:
            for name in names:
                if name.endswith(MARK):
                    os.unlink(name, dir_fd=at)
                    count += 1
    for path, names in gone:
        with own_folder(layout, path) as at:
            for name in names:
                if not name.endswith(MARK):
                    remove_tree(name, at)
    return count


def _sweep_views(layout: Layout, there: Survey, live: Collection[str]) -> None:
    """Remove those that no link shows; what somebody made of one is set aside instead."""
    for shard in there.shards[VIEWS]:
        names = [name for name in shard.names if name.removesuffix(VIEW_MARK) not in live]
        changed = [name for name in names if not _is_removable(layout, f"{shard.path}/{name}")]
        for name in changed:
            set_aside(layout, f"{shard.path}/{name}")
        with own_folder(layout, shard.path) as at:
            for name in names:
                remove_tree(name, at)


def _is_removable(layout: Layout, path: str) -> bool:
    return path.endswith(VIEW_MARK) or is_as_marked(layout, path)


def _sweep_blobs(layout: Layout, there: Survey, live: Live) -> tuple[int, int]:
    count = freed = 0
    for top in (EXEC, CAS):
        for shard in there.shards[top]:
            with own_folder(layout, shard.path) as at:
                for name in shard.names:
                    if name in live.blobs:
                        continue
                    found = os.stat(name, dir_fd=at, follow_symlinks=False)
                    freed += found.st_size if found.st_nlink == 1 else 0
                    count += top == CAS
                    os.unlink(name, dir_fd=at)
    return count, freed


def _sweep(layout: Layout, path: str, oldest: float) -> None:
    """Remove what was last changed before ``oldest``, and where nobody works.

    What a repair set aside may be somebody's own work: it stays as long as a result.
    """
    with suppress(FileNotFoundError), own_folder(layout, path) as at:
        for name in os.listdir(at):
            is_old = os.stat(name, dir_fd=at, follow_symlinks=False).st_mtime < oldest
            if is_old and not is_workroom(name, at):
                remove_tree(name, at)


def _sweep_locks(layout: Layout, there: Survey) -> None:
    """Whoever takes one holds the store, and here nobody does."""
    with own_folder(layout, layout.locks) as at:
        for shard in there.shards[LOCKS]:
            for name in shard.names:
                if name != STORE:
                    os.unlink(name, dir_fd=at)
