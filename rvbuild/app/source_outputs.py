"""Sources' trees for whoever reads files in them: fetched, or made, when they are asked for.

Knows: that each is made once in a run. Must not know: what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field

from rvbuild.core.derivation import Derivation, Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested
from rvbuild.engine.build import build
from rvbuild.engine.realise import Services


@define
class SourceOutputs:
    """Realises derivations for the resolver, and reads what they gave; each tree once."""

    services: Services
    jobs: int
    _roots: dict[str, Digest] = field(factory=dict, init=False)
    _trees: dict[Digest, Nested] = field(factory=dict, init=False)

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        wanted = list(wanted)
        # a failure that stops the build would stop all transfers, which other recipes need
        built = build(derivations, wanted, self.services, jobs=self.jobs, keep_going=True)
        built.refuse_failures()
        return {digest: built.realised[digest].output for digest in wanted}

    def root(self, source: Source) -> Digest:
        fetch = Fetch(source=source)
        if fetch.digest not in self._roots:
            self._roots |= self({fetch.digest: fetch}, [fetch.digest])
        return self._roots[fetch.digest]

    def nested(self, root: Digest) -> Nested:
        if root not in self._trees:
            self._trees[root] = self.services.store.trees.tree(root).nested()
        return self._trees[root]

    def read(self, blob: Digest) -> bytes:
        return self.services.store.cas.read(blob)
