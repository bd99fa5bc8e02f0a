"""Twins of a store's ports with one fault each: what a suite must not let pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from store_parts import with_parts

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.elf import ByteView
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import Tree
from rvbuild.stores.memory import (
    MemoryActionCache,
    MemoryCas,
    MemoryFailureLogs,
    MemoryLocks,
    MemoryRealisations,
    MemoryRoots,
    MemoryStore,
    MemoryTrees,
)

Make = Callable[[str], MemoryStore]
"""Makes a store with a fault, given a folder for copies of trees."""


class DroppingCas(MemoryCas):
    """Drops a write."""

    def write(self, data: bytes) -> Digest:
        return Digest.of(data)


class DroppingAllCas(MemoryCas):
    """Drops one of many writes."""

    def write_all(self, blobs: Iterable[bytes]) -> None:
        super().write_all(data for at, data in enumerate(blobs) if at != 1)


class AlteringCas(MemoryCas):
    """Gives other bytes."""

    def read(self, blob: Digest) -> bytes:
        return super().read(blob) + b"."


class MixingCas(MemoryCas):
    """Gives many blobs in another order."""

    def read_each(self, blobs: Iterable[Digest]) -> Iterator[bytes]:
        return map(self.read, sorted(blobs))


class InventingCas(MemoryCas):
    """Gives bytes that it has not."""

    def read(self, blob: Digest) -> bytes:
        return self._blobs.get(blob, b"")


class ForgetfulCas(MemoryCas):
    """Does not know what it has."""

    def find(self, sha256: str) -> Digest | None:
        del sha256
        return None


class ShortViewCas(MemoryCas):
    """Shows a part of a blob."""

    @contextmanager
    def view(self, blob: Digest) -> Iterator[ByteView]:
        yield self.read(blob)[:-1]


class DroppingTrees(MemoryTrees):
    """Drops a tree."""

    def keep(self, tree: Tree) -> Tree:
        return tree


class BoastfulTrees(MemoryTrees):
    """Says that it has what it has not."""

    def has_tree(self, root: Digest) -> bool:
        del root
        return True


class EmptyTrees(MemoryTrees):
    """Gives an empty tree where it has none."""

    def tree(self, root: Digest) -> Tree:
        return self._trees.get(root) or Tree.of({})


class LenientTrees(MemoryTrees):
    """Lets the first of two parts win."""

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Tree:
        return super().merge(parts[:1])


class AlteredMounts(MemoryTrees):
    """Mounts other bytes."""

    def path(self, root: Digest) -> str:
        place = super().path(root)
        with open(f"{place}/a/data", "wb") as file:
            file.write(b"y")
        return place


class PlainMounts(MemoryTrees):
    """Mounts nothing that can be run."""

    def path(self, root: Digest) -> str:
        place = super().path(root)
        os.chmod(f"{place}/a/run", 0o644)
        return place


class DroppingRealisations(MemoryRealisations):
    """Drops a write."""

    def register(self, realisation: Realisation) -> None:
        """Keep nothing."""


class MixingRealisations(MemoryRealisations):
    """Shows accelerated results to who must not see them."""

    def realisations(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Iterator[Realisation]:
        del accelerated
        return super().realisations(derivation, builder=builder)


class FirstRealisation(MemoryRealisations):
    """Shows one builder's result alone, as if the others had none."""

    def realisations(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Iterator[Realisation]:
        all_of = super().realisations(derivation, accelerated=accelerated, builder=builder)
        return islice(all_of, 1)


class LoneRealisations(MemoryRealisations):
    """Keeps one result, whoever made it."""

    def register(self, realisation: Realisation) -> None:
        self._realisations.clear()
        super().register(realisation)


class DroppingActions(MemoryActionCache):
    """Drops a write."""

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        """Keep nothing."""


class MixingActions(MemoryActionCache):
    """Shows accelerated outcomes to who must not see them."""

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None:
        del accelerated
        return super().outcome(action, accelerated=True)


class ForgettingRoots(MemoryRoots):
    """Forgets a root when another one of its name comes."""

    def add_root(self, name: str, derivation: str, link: str) -> None:
        self._roots.clear()
        super().add_root(name, derivation, link)


class OpenLocks(MemoryLocks):
    """Lets everybody in."""

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        del name, waiting
        yield


class OneLock(MemoryLocks):
    """Has one lock for all names."""

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        del name
        with super().lock("", waiting):
            yield


class KeepingFailures(MemoryFailureLogs):
    """Remembers what it was told to forget."""

    def forget_failure(self, derivation: str) -> None:
        """Forget nothing."""


class FirstFailures(MemoryFailureLogs):
    """Keeps the first log of a derivation."""

    def record_failure(self, derivation: str, log: Digest) -> None:
        self._failures.setdefault(derivation, log)


def _with_cas(make: type[MemoryCas]) -> Make:
    return lambda _: with_parts(MemoryStore(), cas=make())


def _with_trees(make: type[MemoryTrees]) -> Make:
    def store(folder: str) -> MemoryStore:
        good = MemoryStore()
        trees = make(good.cas, folder)
        return with_parts(good, trees=trees, mountable=trees)

    return store


def _with(part: str, make: Callable[[], object]) -> Make:
    return lambda _: with_parts(MemoryStore(), **{part: make()})


TWINS: dict[str, dict[type, Make]] = {
    "cas": {
        each: _with_cas(each)
        for each in (
            DroppingCas,
            DroppingAllCas,
            AlteringCas,
            MixingCas,
            InventingCas,
            ForgetfulCas,
            ShortViewCas,
        )
    },
    "trees": {
        each: _with_trees(each) for each in (DroppingTrees, BoastfulTrees, EmptyTrees, LenientTrees)
    },
    "mountable": {each: _with_trees(each) for each in (AlteredMounts, PlainMounts)},
    "realisations": {
        each: _with("realisations", each)
        for each in (
            DroppingRealisations,
            MixingRealisations,
            FirstRealisation,
            LoneRealisations,
        )
    },
    "action_cache": {
        each: _with("action_cache", each) for each in (DroppingActions, MixingActions)
    },
    "roots": {ForgettingRoots: _with("roots", ForgettingRoots)},
    "locks": {each: _with("locks", each) for each in (OpenLocks, OneLock)},
    "failure_logs": {
        each: _with("failure_logs", each) for each in (KeepingFailures, FirstFailures)
    },
}
"""By the port's name in a store: each twin, and what makes a store with it."""
