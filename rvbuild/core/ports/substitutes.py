"""Results that others made, and that may be taken instead of being made here.

Knows: offers by derivation. Must not know: where they are kept, who is trusted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from rvbuild.core.offer import Offer, Offers
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.tree import Tree


class Substitutes(Protocol):
    """Asks for offers before a plan is made, and brings what the plan takes.

    A place that gives no answer is no error: it has no offers.
    """

    @property
    def left_out(self) -> Sequence[str]:
        """A line for each place that was asked and is not asked any more, with the reason."""
        ...

    def find(self, derivations: Collection[str]) -> Offers:
        """Offers for these derivations, with those of their checks (`Offer.checks`)."""
        ...

    def closure(self, derivation: str) -> Offers:
        """Offers for all that was below a target when somebody last built it.

        Args:
            derivation: The result of the target as it is to be built now.
        """
        ...

    def fetch(self, offer: Offer, into: TreeSink, advance: Advance) -> Tree:
        """Bring the output's tree, verified; return what ``into`` was given.

        Raises:
            WrongContent: some of it came wrong, and somebody else may have it right: ask again,
                with another sink. That has an end.
            SubstituteError: it is not to be had any more, or is not what was signed.
            Interrupted: nobody wants it any more.
        """
        ...

    def cancel(self) -> None:
        """End what waits for a cache: it raises Interrupted."""
        ...
