"""What is brought into a cache: results, and targets with all below them.

Knows: what a store says of results. Must not know: caches, packs, signatures.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from attrs import evolve, frozen

from rvbuild.core.realisation import Realisation


@frozen(kw_only=True)
class Shipment:
    """A result that is pushed.

    Attributes:
        label: What people call it.
        realisation: What the store says of it.
        closure_milliseconds: How long making it and all below it took.
        checks: Its checks, by label.
    """

    label: str
    realisation: Realisation
    closure_milliseconds: int = 0
    checks: Mapping[str, Realisation]

    def said_by(self, signer: str, valid_ids: Container[str]) -> Shipment:
        """The same, with origins as the holder of a key says them (`Realisation.origin_for`)."""

        def said(made: Realisation) -> Realisation:
            return evolve(made, origin=made.origin_for(signer, valid_ids))

        checks = {label: said(check) for label, check in self.checks.items()}
        return evolve(self, realisation=said(self.realisation), checks=checks)


@frozen(kw_only=True)
class TargetShipment:
    """A target, with all that was below it.

    Attributes:
        target: ``runc-riscv64``.
        derivation: The digest of its result.
        results: It, and the steps below it: they are pushed first.
        derivations: The canonical bytes of every derivation of the closure.
    """

    target: str
    derivation: str
    results: tuple[Shipment, ...]
    derivations: tuple[bytes, ...]
