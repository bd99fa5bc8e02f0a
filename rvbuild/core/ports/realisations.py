"""What derivations have come to.

Knows: realisations by derivation. Must not know: actions, trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rvbuild.core.realisation import Realisation


class Realisations(Protocol):
    """What was built before, by derivation.

    With ``accelerated`` false, results that a compile cache helped to make stay unseen.
    """

    def realisation(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Realisation | None:
        """The first of ``realisations``; None if there is none."""
        ...

    def realisations(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Iterator[Realisation]:
        """That of ``builder``, then the others by name; accelerated ones come last.

        Each is read when it is asked for.

        Raises:
            VerificationError: one is damaged.
        """
        ...

    def register(self, realisation: Realisation) -> None:
        """Replace its builder's realisation of the derivation.

        Durable once this returns; register the output's tree, and write the derivation's bytes,
        before.
        """
        ...
