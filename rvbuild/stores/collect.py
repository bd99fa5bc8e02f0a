"""Garbage collection: what nobody holds and nobody used lately goes.

Knows: what keeps what. Must not know: who asks for it.

A realisation is live when a root names it or it was used lately; so is an outcome that
was used lately. They keep their output's tree and their log; a tree keeps its blobs.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

from attrs import define, evolve, field, frozen

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.tree import File, Tree
from rvbuild.stores.failures import FAILED
from rvbuild.stores.layout import Layout, guarded, remove_tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.locks import STORE
from rvbuild.stores.results import AC, REALISATIONS, decode_realisation
from rvbuild.stores.verify import named

DAY = 86_400


@frozen(kw_only=True)
class Collected:
    """What went, and the size in bytes of the blobs that went and stayed."""

    results: int
    trees: int
    blobs: int
    freed: int
    kept: int


@frozen(kw_only=True)
class _Result:
    """A result file, what it needs, and when it was last used."""

    path: str
    used: float
    trees: tuple[str, ...]
    blobs: tuple[str, ...]
    rooted: bool


@define
class _Live:
    """What stays."""

    layout: Layout
    trees: set[str] = field(factory=set)
    blobs: set[str] = field(factory=set)
    size: int = 0

    def add(self, result: _Result, limit: float) -> bool:
        """Keep what ``result`` needs, unless the blobs were then more than ``limit`` bytes."""
        trees, blobs = set(result.trees) - self.trees, set(result.blobs)
        for name in list(trees):
            blobs |= self._blobs_of(name)
        more = {name: self._size(name) for name in blobs - self.blobs}
        if self.size + sum(more.values()) > limit:
            return False
        self.trees |= trees
        self.blobs |= more.keys()
        self.size += sum(more.values())
        return True

    def _size(self, name: str) -> int:
        try:
            return os.stat(self.layout.blob(name)).st_size
        except FileNotFoundError:
            return 0

    def _blobs_of(self, name: str) -> set[str]:
        mark = self.layout.tree(name) + ".tree"
        try:
            with open(mark, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return set()
        try:
            tree = Tree.decode(data)
        except VerificationError as error:  # which blobs it needs cannot be known
            hint = "run `rvbuild store repair`; nothing was collected"
            raise StoreError(error.message, where=mark, hint=hint) from error
        files = {node.digest.hash for _, node in tree.walk() if isinstance(node, File)}
        return files | {Digest.of(data).hash}


def collect(store: LocalStore, *, keep_days: float, max_size: int | None = None) -> Collected:
    """Remove what no root reaches and nobody used lately; empty ``tmp/``.

    A root whose link no longer leads into the store is dropped first. What a repair set
    aside goes as results do.

    Args:
        store: No build may be using it, in any process.
        keep_days: What was used within so many days stays.
        max_size: Bytes of blobs; when more would stay, what was not used for longest goes.
            What roots reach stays, however large.

    Raises:
        StoreError: another rvbuild is using the store, it could not be read or written, or
            a live tree is damaged.
    """
    layout = store.layout
    with store.exclusive(), guarded(layout.root, "collect garbage in"):
        rooted = {root.derivation for root in store.drop_dead()}
        stay, go = _divided(layout, rooted, keep_days, max_size)
        for result in go:
            os.unlink(result.path)
        trees = _sweep_trees(layout, stay)
        blobs, freed = _sweep_blobs(layout, stay)
        for name in os.listdir(layout.tmp):
            _remove(f"{layout.tmp}/{name}")
        _sweep_damaged(layout, time.time() - keep_days * DAY)
        for name in os.listdir(layout.locks):
            if name != STORE:
                os.unlink(f"{layout.locks}/{name}")
    return Collected(results=len(go), trees=trees, blobs=blobs, freed=freed, kept=stay.size)


def _divided(
    layout: Layout, rooted: set[str], keep_days: float, max_size: int | None
) -> tuple[_Live, list[_Result]]:
    results = sorted(_results(layout, rooted), key=_importance, reverse=True)
    oldest = time.time() - keep_days * DAY
    stay, go = _Live(layout), []
    limit = math.inf if max_size is None else max_size
    for result in results:
        if result.rooted:
            stay.add(result, math.inf)
        elif result.used < oldest or not stay.add(result, limit):
            go.append(result)
            limit = -1  # what was used before this one goes too
    return stay, go


def _results(layout: Layout, rooted: set[str]) -> Iterator[_Result]:
    tops = (layout.root, f"{layout.root}/accelerated")
    users: dict[str, _Result] = {}
    for name, path in (item for top in tops for item in named(f"{top}/{REALISATIONS}")):
        found = decode_realisation(_read(path))
        logs = (found.log.hash,) if found.log else ()
        result = _result(path, (found.output.hash,), logs, rooted=name in rooted)
        if found.action:
            users[found.action] = max(users.get(found.action, result), result, key=_importance)
        yield result
    for name, path in (item for top in tops for item in named(f"{top}/{AC}")):
        outcome = Outcome.decode(_read(path))
        output = (outcome.output.hash,) if outcome.output else ()
        own = _result(path, output, (outcome.log.hash,), rooted=False)
        user = max(users.get(name, own), own, key=_importance)
        yield evolve(own, used=user.used, rooted=user.rooted)
    for _, path in named(f"{layout.root}/{FAILED}"):
        try:
            logs = (Digest.parse(_read(path).decode("ascii")).hash,)
        except ValueError:  # not durable on purpose: a crash may leave it empty
            logs = ()
        yield _result(path, (), logs, rooted=False)


def _result(path: str, trees: tuple[str, ...], blobs: tuple[str, ...], *, rooted: bool) -> _Result:
    used = os.stat(path).st_mtime
    return _Result(path=path, used=used, trees=trees, blobs=blobs, rooted=rooted)


def _importance(result: _Result) -> tuple[bool, float]:
    return result.rooted, result.used


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _sweep_trees(layout: Layout, live: _Live) -> int:
    """Marks go before folders: a registered tree is always whole."""
    gone = [item for item in named(layout.trees) if item[0].removesuffix(".tree") not in live.trees]
    marks = [path for name, path in gone if name.endswith(".tree")]
    for path in marks:
        os.unlink(path)
    for name, path in gone:
        if not name.endswith(".tree"):
            _remove(path)
    return len(marks)


def _sweep_blobs(layout: Layout, live: _Live) -> tuple[int, int]:
    count = freed = 0
    for folder in (layout.exec, layout.cas):
        for name, path in named(folder):
            if name not in live.blobs:
                there = os.stat(path)
                freed += there.st_size if there.st_nlink == 1 else 0
                count += folder == layout.cas
                os.unlink(path)
    return count, freed


def _sweep_damaged(layout: Layout, oldest: float) -> None:
    """What a repair set aside may be somebody's own work: it stays as long as a result."""
    if not os.path.isdir(layout.damaged):
        return
    for name in os.listdir(layout.damaged):
        path = f"{layout.damaged}/{name}"
        if os.stat(path, follow_symlinks=False).st_mtime < oldest:
            _remove(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        os.unlink(path)
