"""The file names of wheels: what they say of project, version and machine.

Knows: platform tags (PEP 600, PEP 656) of machines that are not this one. The library ``packaging``
knows file names (PEP 427), project names (PEP 503) and versions (PEP 440).
Must not know: indexes, which of several wheels is the best.
"""

from __future__ import annotations

import re
from contextlib import suppress

from attrs import frozen
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from rvbuild.core.architecture import ARCHITECTURES

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_VERSIONED = re.compile(r"(manylinux|musllinux)_(\d{1,4})_(\d{1,4})_(.+)\Z")

_LONGEST = 255
"""Characters; no file has a longer name, and one of many tags means all their combinations."""

PlatformRank = tuple[int, int, int]
"""Lower is better; see `platform_rank`."""


@frozen
class WheelName:
    """The parts of ``NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl``; no build tag is ``()``."""

    project: str
    version: Version
    build: tuple[()] | tuple[int, str]
    pythons: frozenset[str]
    abis: frozenset[str]
    platforms: frozenset[str]

    @classmethod
    def parse(cls, filename: str) -> WheelName | None:
        """Read a file name; None if it is no wheel's."""
        if len(filename) > _LONGEST:
            return None
        try:
            project, version, build, tags = parse_wheel_filename(filename)
        except ValueError:
            return None
        return cls(
            project=project,
            version=version,
            build=build,
            pythons=frozenset(tag.interpreter for tag in tags),
            abis=frozenset(tag.abi for tag in tags),
            platforms=frozenset(tag.platform for tag in tags),
        )

    def is_of(self, project: str, version: str) -> bool:
        """Whether it is a file of this release, however the two are spelled.

        As in PEP 440's ``==``, a label of the file's own (``1.0+cpu``) does not matter where
        ``version`` has none.
        """
        asked = to_version(version)
        if self.project != canonicalize_name(project) or asked is None:
            return False
        return asked in {self.version, Version(self.version.public)}

    def platform_rank(self, arch: str) -> PlatformRank | None:
        """How well it suits Linux on ``arch`` (a Go name); None if it does not run there.

        Glibc with the lowest version is the best, then musl with the lowest, plain
        ``linux``, ``any``.
        """
        machine = ARCHITECTURES[arch].machine if arch in ARCHITECTURES else arch
        ranks = [_platform(tag, machine) for tag in self.platforms]
        return min((rank for rank in ranks if rank is not None), default=None)


def release_of(filename: str, project: str) -> Version | None:
    """The version that a wheel or an archive of the project's source is; None for another file."""
    with suppress(ValueError):
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename[:_LONGEST])
        else:
            name, version = parse_sdist_filename(filename)
        return version if name == canonicalize_name(project) else None
    return None


def to_version(version: str) -> Version | None:
    """A version of PEP 440; None if the text is none."""
    try:
        return Version(version)
    except ValueError:
        return None


def _platform(tag: str, machine: str) -> PlatformRank | None:
    if tag == "any":
        return (3, 0, 0)
    if tag == f"linux_{machine}":
        return (2, 0, 0)
    legacy = tag.removesuffix(f"_{machine}")
    if legacy in _LEGACY and legacy != tag:
        return (0, *_LEGACY[legacy])
    libc = _VERSIONED.match(tag)
    if libc is None or libc[4] != machine:
        return None
    return (0 if libc[1] == "manylinux" else 1, int(libc[2]), int(libc[3]))
