"""The go.mod files of modules, each checked by its ``h1:`` and asked for once in a run.

Knows: how many are asked for at once. Must not know: which of them a graph needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import field, frozen

from rvbuild.core.errors import SourceError, Unreachable
from rvbuild.core.go_graph import Module
from rvbuild.core.gosum import hash1_go_mod
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.pinned_hash import check_h1_of

_CONNECTIONS = 12


@frozen
class GoModReader:
    """Reads go.mod files: while a set is locked, they are needed for its graph and for its cache.

    They are small: the 1,300 of K3s are 5 MB.
    """

    proxy: GoProxy
    connections: int = _CONNECTIONS
    _known: dict[tuple[Module, str], bytes] = field(factory=dict, init=False, repr=False)

    def read(self, mods: Sequence[tuple[Module, str]]) -> Iterator[bytes]:
        """The go.mod of each module, in order; the second of each pair is its ``h1:``.

        Raises:
            SourceError: no proxy has one.
            VerificationError: one has another hash.
        """
        pool = ThreadPoolExecutor(self.connections, "go-mod")
        try:
            yield from pool.map(self._one, mods)
        finally:
            pool.shutdown(cancel_futures=True)

    def first_seen(self, module: Module) -> tuple[bytes, str] | None:
        """The go.mod of a module that no go.sum knows, and its ``h1:``; None if no proxy has it.

        Raises:
            Unreachable: a proxy gives no answer.
        """
        try:
            data, _ = self.proxy.go_mod(*module)
        except Unreachable:
            raise
        except SourceError:
            return None
        h1 = hash1_go_mod(data)
        self._known[module, h1] = data
        return data, h1

    def _one(self, mod: tuple[Module, str]) -> bytes:
        if mod not in self._known:
            (path, version), h1 = mod
            data, url = self.proxy.go_mod(path, version, h1)
            check_h1_of(h1, hash1_go_mod(data), f"go.mod of {path}@{version}", url)
            self._known[mod] = data
        return self._known[mod]
