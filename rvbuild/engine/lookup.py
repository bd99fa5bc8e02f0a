"""Which results may be used again.

Knows: what a store holds. Must not know: how results are made.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from rvbuild.core.plan import Lookup
from rvbuild.core.ports.store import Store
from rvbuild.core.realisation import Realisation

Accepts = Callable[[Realisation], bool]
"""Whether a result may be used that the store has from somebody else, or that is made of such."""


def accept_all(_realisation: Realisation) -> bool:
    """An ``Accepts`` for a store whose results nobody else made."""
    return True


@frozen
class SteadyLookup:
    """Finds each realisation once: to look whether its files are as written takes long.

    What is missing is looked for again: another process may make it.

    Attributes:
        lookup: Finds them.
    """

    lookup: Lookup
    _present: dict[str, Realisation] = field(factory=dict, init=False)

    def __call__(self, digest: str) -> Realisation | None:
        """The realisation of a derivation; raises as ``lookup`` does."""
        found = self._present.get(digest) or self.lookup(digest)
        if found is not None:
            self._present[digest] = found
        return found


@frozen
class StoreLookup:
    """Finds realisations that may be used: registered, whole, and fit for a release if it is one.

    Of several builders' results of one derivation it is the first that may be.

    Attributes:
        store: Where results are.
        release: Whether accelerated results are left out.
        builder: Whose results are preferred.
        accepts: Whether a result may be used that came from a cache, or was made of such: who
            vouched may not be trusted any more, and a release may want more of them.
    """

    store: Store
    release: bool = False
    builder: str = ""
    accepts: Accepts = accept_all

    def __call__(self, digest: str) -> Realisation | None:
        """The realisation of a derivation.

        Raises:
            VerificationError: the step's output was changed since; sources are not looked at.
        """
        realisations = self.store.realisations.realisations(
            digest, accelerated=not self.release, builder=self.builder
        )
        found = next(filter(self._is_usable, realisations), None)
        if found is None:
            return None
        if found.action is not None or not found.origin.is_built:
            self.store.mountable.refuse_changed(found.output)
        return found

    def _is_usable(self, realisation: Realisation) -> bool:
        return self.accepts(realisation) and self.store.trees.has_tree(realisation.output)
