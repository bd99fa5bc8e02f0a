"""A wheel, as a recipe asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen
from packaging.utils import canonicalize_name

from rvbuild.core.spec import Comparison, SourceSpec, sha256_comparison
from rvbuild.kinds.declaration import TEXT, key
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.wheel_name import WheelName, to_version


@frozen(kw_only=True)
class WheelSpec(SourceSpec):
    """A wheel for the build machine."""

    answer = Wheel
    project: str = field(metadata=key("pypi", TEXT))
    version: str = field(metadata=key("version", TEXT))

    @property
    def per_machine(self) -> bool:
        return True

    def compare(self, part: Wheel, arch: str) -> Iterator[Comparison]:
        yield "project", part.project, canonicalize_name(self.project)
        same = to_version(part.version) == to_version(self.version)
        yield "version", part.version, part.version if same else self.version
        name = WheelName.parse(part.filename)
        is_of = name is not None and name.is_of(self.project, self.version)
        fits = name is not None and is_of and name.platform_rank(arch)
        expected = f"a wheel of {self.project} {self.version} for Linux on {arch}"
        yield "file", part.filename, part.filename if fits else expected
        yield sha256_comparison(part.sha256)


SPECS = {"pypi": WheelSpec}
