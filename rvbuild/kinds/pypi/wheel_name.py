"""The file names of wheels: what they say of project, version and machine.

Knows: wheel file names (PEP 427), platform tags (PEP 600, PEP 656), project names (PEP 503).
Must not know: indexes, which of several wheels is the best.
"""

from __future__ import annotations

import re

from attrs import frozen

from rvbuild.core.architecture import ARCHITECTURES

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_VERSIONED = re.compile(r"(manylinux|musllinux)_(\d{1,4})_(\d{1,4})_(.+)\Z")

PlatformRank = tuple[int, int, int]
"""Lower is better; see `platform_rank`."""


@frozen
class WheelName:
    """The parts of ``NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl``."""

    project: str
    version: str
    build: int
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    @classmethod
    def parse(cls, filename: str) -> WheelName | None:
        """Read a file name; None if it is no wheel's."""
        parts = filename.removesuffix(".whl").split("-")
        if not filename.endswith(".whl") or len(parts) not in {5, 6}:
            return None
        build = re.match(r"\d{1,9}", parts[2]) if len(parts) == 6 else None
        tags = [tuple(part.split(".")) for part in parts[-3:]]
        return cls(parts[0], parts[1], int(build[0]) if build else -1, tags[0], tags[1], tags[2])

    def is_of(self, project: str, version: str) -> bool:
        """Whether it is a file of this release, however the two are spelled."""
        named = normalized(self.project) == normalized(project)
        return named and _plain(self.version) == _plain(version)

    def platform_rank(self, arch: str) -> PlatformRank | None:
        """How well it suits Linux on ``arch`` (a Go name); None if it does not run there.

        Glibc with the lowest version is the best, then musl with the lowest, plain
        ``linux``, ``any``.
        """
        machine = ARCHITECTURES[arch].machine if arch in ARCHITECTURES else arch
        ranks = [_platform(tag, machine) for tag in self.platforms]
        return min((rank for rank in ranks if rank is not None), default=None)


def normalized(project: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def _plain(version: str) -> str:
    """A version without the differences that PEP 440 does not count."""
    text = version.lower().removeprefix("v").replace("_", "+", 1) if "_" in version else version
    return re.sub(r"(\.0)+(?=$|\+)", "", text.lower().removeprefix("v"))


def _platform(tag: str, machine: str) -> PlatformRank | None:
    if tag == "any":
        return (3, 0, 0)
    if tag == f"linux_{machine}":
        return (2, 0, 0)
    legacy = tag.removesuffix(f"_{machine}")
    if legacy in _LEGACY and legacy != tag:
        return (0, *_LEGACY[legacy])
    found = _VERSIONED.match(tag)
    if found is None or found[4] != machine:
        return None
    return (0 if found[1] == "manylinux" else 1, int(found[2]), int(found[3]))
