"""Crates, as a recipe asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import field, frozen

from rvbuild.core.source import Source
from rvbuild.core.spec import Comparison, SourceFile, SourceSpec, sha256_comparison
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.declaration import TEXT, key


@frozen(kw_only=True)
class CrateSpec(SourceSpec):
    """One crate of the registry."""

    answer = Crate
    name: str = field(metadata=key("crate", TEXT))
    version: str = field(metadata=key("version", TEXT))

    def compare(self, part: Crate, arch: str) -> Iterator[Comparison]:
        del arch
        yield "name", part.name, self.name
        yield "version", part.version, self.version
        yield sha256_comparison(part.sha256)


@frozen(kw_only=True)
class CratesSpec(SourceSpec):
    """The crates that the Cargo.lock of another source names."""

    answer = VendoredCrate
    source: str = field(metadata=key("crates", TEXT))
    file: str = field(default="Cargo.lock", metadata=key("file", TEXT))

    @property
    def reads(self) -> tuple[SourceFile, ...]:
        return ((self.source, self.file),)

    def compare_all(self, parts: Sequence[Source]) -> Iterator[Comparison]:
        """Each crate is there once, in the order of names and versions."""
        crates = [(part.name, part.version) for part in parts if isinstance(part, VendoredCrate)]
        if crates != sorted({*crates}):
            yield "parts", "another order", "each crate once, sorted by name and version"

    def compare(self, part: VendoredCrate, arch: str) -> Iterator[Comparison]:
        del arch
        yield sha256_comparison(part.sha256)


SPECS: dict[str, type[SourceSpec]] = {"crate": CrateSpec, "crates": CratesSpec}
