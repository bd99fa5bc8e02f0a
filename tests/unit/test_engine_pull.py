"""A tree from a cache becomes one of the store only if it is the one that was signed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from attrs import frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import SubstituteError
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.statement import Pack, PackedTree, Statement
from rvbuild.core.tree import File, Tree
from rvbuild.engine.pull import pull_tree
from rvbuild.stores.memory import MemoryStore

DATA = b"data"
TREE = Tree.of({"a": File(Digest.of(DATA))})


@frozen
class OneTree:
    """``Substitutes`` that bring `TREE`, whatever they offered."""

    @property
    def left_out(self) -> Sequence[str]:
        return ()

    def find(self, _derivations: Collection[str]) -> Offers:
        return {}

    def closure(self, _derivation: str) -> Offers:
        return {}

    def fetch(self, _offer: Offer, into: TreeSink, _advance: Advance) -> Tree:
        into.file("a", [DATA])
        return TREE

    def cancel(self) -> None:
        """Nothing waits here."""


def an_offer(root: Digest) -> Offer:
    output = PackedTree(root=root, message=root, size=4, files=1, packs=(Pack(root, 1),))
    said = Statement(derivation=root, label="app", key="ci", output=output)
    return Offer(statement=said, vouchers=(), cache="team")


def no_progress(_done: int, _total: int) -> None:
    """Nobody looks."""


def test_the_tree_that_was_signed_is_there_afterwards():
    store = MemoryStore()
    pull_tree(an_offer(TREE.root), store.trees, OneTree(), no_progress)
    assert store.trees.tree(TREE.root) == TREE


def test_another_tree_is_refused_and_not_there():
    store = MemoryStore()
    with pytest.raises(SubstituteError, match="team gave another tree than was signed"):
        pull_tree(an_offer(Digest.of(b"other")), store.trees, OneTree(), no_progress)
    assert not store.trees.has_tree(TREE.root)
