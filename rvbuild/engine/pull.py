"""Brings the tree of an offer into the store.

Knows: offers, sinks. Must not know: caches, what the tree is for.
"""

from __future__ import annotations

from rvbuild.core.errors import SubstituteError, WrongContent
from rvbuild.core.offer import Offer
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.substitutes import Substitutes
from rvbuild.core.ports.trees import Trees


def pull_tree(offer: Offer, trees: Trees, substitutes: Substitutes, advance: Advance) -> None:
    """Bring it, from whoever has it right.

    Raises:
        SubstituteError: nobody has.
        Interrupted: nobody wants it any more.
    """
    while True:
        with trees.new_tree() as tree:
            try:
                expected = substitutes.fetch(offer, tree, advance)
            except WrongContent:
                continue  # somebody else may have it right
            if expected.root != offer.output:
                msg = f"{offer.cache} gave another tree than was signed"
                raise SubstituteError(msg, where=offer.statement.label)
            tree.commit(expected)
        return
