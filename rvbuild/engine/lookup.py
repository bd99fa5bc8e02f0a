"""Which results may be used again.

Knows: what a store holds. Must not know: how results are made.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.ports.store import Store
from rvbuild.core.realisation import Realisation


@frozen
class StoreLookup:
    """Finds realisations that may be used: registered, whole, and fit for a release if it is one.

    Attributes:
        store: Where results are.
        release: Whether accelerated results are left out.
        builder: Whose results are preferred.
    """

    store: Store
    release: bool = False
    builder: str = ""

    def __call__(self, digest: str) -> Realisation | None:
        """The realisation of a derivation.

        Raises:
            VerificationError: the step's output was changed since; sources are not looked at.
        """
        realisation = self.store.realisations.realisation(
            digest, accelerated=not self.release, builder=self.builder
        )
        if realisation is None or not self.store.trees.has_tree(realisation.output):
            return None
        if realisation.action is not None:
            self.store.mountable.refuse_changed(realisation.output)
        return realisation
