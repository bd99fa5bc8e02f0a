"""Debian's packages, as a recipe asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import field, frozen

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.source import Source
from rvbuild.core.spec import Comparison, SourceSpec, sha256_comparison
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.declaration import ARCHITECTURE, SOME_TEXTS, TEXT, TEXTS, key


@frozen(kw_only=True)
class DebianSpec(SourceSpec):
    """Binary packages with their dependencies.

    They are for ``architecture`` (a Go name), or for the build machine if that is empty.
    """

    answer = DebianPackage
    packages: tuple[str, ...] = field(metadata=key("debian", SOME_TEXTS))
    suite: str = field(metadata=key("suite", TEXT))
    without: tuple[str, ...] = field(default=(), metadata=key("without", TEXTS))
    architecture: str = field(default="", metadata=key("architecture", ARCHITECTURE))

    @property
    def machine(self) -> str:
        return self.architecture

    @property
    def per_machine(self) -> bool:
        return not self.architecture

    def compare_all(self, parts: Sequence[Source]) -> Iterator[Comparison]:
        """The asked packages are all there, the unwanted are not, and none is there twice."""
        names = [part.name for part in parts if isinstance(part, DebianPackage)]
        for name in sorted({*self.packages} - {*names}):
            yield "parts", f"no package {name}", f"the package {name}"
        for name in sorted(({*names} & {*self.without}) - {*self.packages}):
            yield "parts", f"the package {name}", "none (`without` leaves it out)"
        if names != sorted({*names}):
            yield "parts", ", ".join(names), "each package once, sorted by name"

    def compare(self, part: DebianPackage, arch: str) -> Iterator[Comparison]:
        own, expected = part.architecture, self.architecture or arch
        if expected in ARCHITECTURES:  # a lock may be for a machine that a newer rvbuild knows
            expected = ARCHITECTURES[expected].debian
        yield "architecture", own, own if own in {"all", expected} else expected
        yield "pool", part.pool, _pool(part)
        yield sha256_comparison(part.sha256)


def _pool(part: DebianPackage) -> str:
    """The path in the pool, whose file is called NAME_VERSION_ARCHITECTURE.deb as in Debian."""
    folder, slash, file = part.pool.rpartition("/")
    plain = part.version.partition(":")[2] or part.version
    spelled = (plain, part.version, part.version.replace(":", "%3a"))
    names = [f"{part.name}_{version}_{part.architecture}.deb" for version in spelled]
    otherwise = file.count("_") != 2  # an archive that calls its files as it likes
    return part.pool if otherwise or file in names else f"{folder}{slash}{names[0]}"


SPECS = {"debian": DebianSpec}
