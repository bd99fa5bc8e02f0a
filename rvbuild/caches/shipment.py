"""What is brought into a cache: results, and targets with all below them.

Knows: what a store says of results. Must not know: caches, packs, signatures.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

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
