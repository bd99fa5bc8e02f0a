"""Which results may be used again.

Knows: what a store holds. Must not know: how results are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from rvbuild.core.digest import Digest
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
        realised: What the run has realised so far, by derivation digest: checks were of that.
    """

    lookup: Lookup
    realised: Mapping[str, Realisation] = field(factory=dict)
    _present: dict[tuple[str, Digest | None], Realisation] = field(factory=dict, init=False)

    def __call__(self, digest: str, tried: Digest | None = None, /) -> Realisation | None:
        """The realisation of a derivation; raises as ``lookup`` does."""
        if digest in self.realised:
            return self.realised[digest]
        found = self._present.get((digest, tried)) or self.lookup(digest, tried)
        if found is not None:
            self._present[digest, tried] = found
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

    def __call__(self, digest: str, tried: Digest | None = None, /) -> Realisation | None:
        """The realisation of a derivation; of a check, one of the output ``tried``.

        Raises:
            VerificationError: the step's output was changed since; sources are not looked at.
        """
        realisations = self.store.realisations.realisations(
            digest, accelerated=not self.release, builder=self.builder
        )
        fitting = (each for each in realisations if tried is None or tried in each.inputs)
        found = next(filter(self._is_usable, fitting), None)
        if found is None:
            return None
        if found.action is not None or not found.origin.is_built:
            self.store.mountable.refuse_changed(found.output)
        return found

    def _is_usable(self, realisation: Realisation) -> bool:
        return self.accepts(realisation) and self.store.trees.has_tree(realisation.output)
