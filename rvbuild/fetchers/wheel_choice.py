"""Which of a release's wheels fits a build machine.

Knows: wheel file names (PEP 427) and platform tags (PEP 600, PEP 656).
Must not know: indexes, networks.

rvbuild unpacks wheels for the programs in them, so the Python tag matters little. Order of
preference, the same on every machine: not yanked; a wheel for any Python 3, then the stable
ABI, then the newest CPython; glibc with the lowest version, musl with the lowest, plain
``linux``, ``any``; the highest build tag; then the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from attrs import frozen

from rvbuild.fetchers.simple_index import IndexFile, normalized

_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "arm": "armv7l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loong64": "loongarch64",
}
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_VERSIONED = re.compile(r"(manylinux|musllinux)_(\d{1,4})_(\d{1,4})_(.+)\Z")

Rank = tuple[Any, ...]


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


def choose_wheel(
    files: Iterable[IndexFile], project: str, version: str, arch: str
) -> IndexFile | None:
    """The best wheel of ``version`` for Linux on ``arch`` (a Go name), or None."""
    ranked: list[tuple[Rank, IndexFile]] = []
    for file in files:
        name = WheelName.parse(file.filename)
        if name is None or _plain(name.version) != _plain(version):
            continue
        if normalized(name.project) != normalized(project):
            continue
        rank = _rank(name, _MACHINES.get(arch, arch))
        if rank is not None:
            ranked.append(((file.yanked, *rank, file.filename), file))
    return min(ranked, key=itemgetter(0))[1] if ranked else None


def _plain(version: str) -> str:
    """A version without the differences that PEP 440 does not count."""
    text = version.lower().removeprefix("v").replace("_", "+", 1) if "_" in version else version
    return re.sub(r"(\.0)+(?=$|\+)", "", text.lower().removeprefix("v"))


def _rank(name: WheelName, machine: str) -> Rank | None:
    platforms = [rank for tag in name.platforms if (rank := _platform(tag, machine)) is not None]
    python = _python(name)
    return (python, min(platforms), -name.build) if platforms and python is not None else None


def _platform(tag: str, machine: str) -> tuple[int, int, int] | None:
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


def _python(name: WheelName) -> tuple[int, int] | None:
    if "none" in name.abis and any(tag.startswith("py3") for tag in name.pythons):
        return (0, 0)
    newest = max((int(t[3:]) for t in name.pythons if re.fullmatch(r"cp3\d{1,3}", t)), default=0)
    if "abi3" in name.abis and newest:
        return (1, 0)
    if newest:
        return (2, -newest)
    return (3, 0) if any(tag.startswith(("py", "cp", "pp")) for tag in name.pythons) else None
