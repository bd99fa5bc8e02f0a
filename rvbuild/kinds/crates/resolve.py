"""Descriptions of crates, to crates with their checksums."""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.errors import LockError
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.kinds.crates.cargo_lock import parse_cargo_lock
from rvbuild.kinds.crates.source import Crate
from rvbuild.kinds.crates.spec import CrateSpec, CratesSpec


class Checksums(Protocol):
    """Finds the checksum that the registry has for a crate; see kinds/crates/fetch."""

    def resolve(self, name: str, version: str) -> Crate: ...


def resolve(
    spec: CrateSpec | CratesSpec, context: ResolveContext, client: Checksums
) -> tuple[Source, ...]:
    """See `rvbuild.core.ports.registries.Registries`; a Cargo.lock needs no registry.

    Raises:
        LockError: the Cargo.lock is not valid, or names no crate.
    """
    if isinstance(spec, CrateSpec):
        return (client.resolve(spec.name, spec.version),)
    crates = parse_cargo_lock(context.read(spec.source, spec.file), f"{spec.source}:{spec.file}")
    if not crates:
        msg = f"{spec.source}'s {spec.file} names no crate of a registry"
        raise LockError(msg, where=context.where, hint="the recipe can do without this source")
    return crates
