"""Which of a release's wheels fits a build machine.

Knows: the order of preference. Must not know: indexes, networks, how names are spelled.

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

from rvbuild.kinds.pypi.simple_index import IndexFile
from rvbuild.kinds.pypi.wheel_name import WheelName

Rank = tuple[Any, ...]


def choose_wheel(
    files: Iterable[IndexFile], project: str, version: str, arch: str
) -> IndexFile | None:
    """The best wheel of ``version`` for Linux on ``arch`` (a Go name), or None."""
    candidates: list[tuple[Rank, IndexFile]] = []
    for file in files:
        name = WheelName.parse(file.filename)
        if name is None or not name.is_of(project, version):
            continue
        rank = _rank(name, arch)
        if rank is not None:
            candidates.append(((file.yanked, *rank, file.filename), file))
    return min(candidates, key=itemgetter(0))[1] if candidates else None


def _rank(name: WheelName, arch: str) -> Rank | None:
    platform, python = name.platform_rank(arch), _python(name)
    return (python, platform, -name.build) if platform and python is not None else None


def _python(name: WheelName) -> tuple[int, int] | None:
    if "none" in name.abis and any(tag.startswith("py3") for tag in name.pythons):
        return (0, 0)
    newest = max((int(t[3:]) for t in name.pythons if re.fullmatch(r"cp3\d{1,3}", t)), default=0)
    if "abi3" in name.abis and newest:
        return (1, 0)
    if newest:
        return (2, -newest)
    return (3, 0) if any(tag.startswith(("py", "cp", "pp")) for tag in name.pythons) else None
