"""Which of a release's wheels fits a build machine.

Knows: the order of preference. Must not know: indexes, networks, how names are spelled.

rvbuild unpacks wheels for the programs in them, so the Python tag matters little. Order of
preference, the same on every machine: not yanked; without a local label that was not asked for;
a wheel for any Python 3, then the stable ABI, then the newest CPython; glibc with the lowest
version, musl with the lowest, plain ``linux``, ``any``; the highest build tag; then the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from packaging.utils import canonicalize_name

from rvbuild.kinds.pypi.simple_index import IndexFile
from rvbuild.kinds.pypi.wheel_name import WheelName, release_of, to_version

Rank = tuple[Any, ...]
_SHOWN = 3


def choose_wheel(
    files: Iterable[IndexFile], project: str, version: str, arch: str
) -> IndexFile | None:
    """The best wheel of ``version`` for Linux on ``arch`` (a Go name), or None."""
    candidates: list[tuple[Rank, WheelName, IndexFile]] = []
    for file in sorted(files, key=attrgetter("filename")):
        name = WheelName.parse(file.filename)
        if name is None or not name.is_of(project, version):
            continue
        platform, python = name.platform_rank(arch), _python(name)
        if platform and python is not None:
            is_other = name.version != to_version(version)
            candidates.append(((file.yanked, is_other, python, platform), name, file))
    best = min(map(itemgetter(0), candidates), default=None)
    equals = [(name, file) for rank, name, file in candidates if rank == best]
    return max(equals, key=lambda pair: pair[0].build)[1] if equals else None


def usable_releases(files: Iterable[IndexFile], project: str, arch: str) -> dict[str, int | None]:
    """The releases with a wheel for Linux on ``arch`` that was not yanked.

    Each with the time of its last such wheel, in Unix seconds; None if a place says none.
    """
    releases: dict[str, int | None] = {}
    for file in files:
        name = WheelName.parse(file.filename)
        if name is None or file.yanked or name.project != canonicalize_name(project):
            continue
        if name.platform_rank(arch) and _python(name) is not None:
            known = releases.get(str(name.version))
            releases[str(name.version)] = max(filter(None, (known, file.uploaded)), default=None)
    return releases


def describe_release(files: Iterable[IndexFile], project: str, version: str) -> str:
    """What a place has where no wheel fits: other files of the release, or other releases."""
    of_project = {
        file.filename: found
        for file in files
        if (found := release_of(file.filename, project)) is not None
    }
    same = [name for name, found in of_project.items() if found == to_version(version)]
    if same:
        return f"of {version} it has {_some(sorted(same))}"
    versions = sorted(set(of_project.values()), reverse=True)
    return (
        f"it has {_some([str(each) for each in versions])}" if versions else "it has no file of it"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def has_wheels(files: Iterable[IndexFile], project: str, version: str) -> bool:
    """Whether there is a wheel of ``version`` for any machine."""
    names = (WheelName.parse(file.filename) for file in files)
    return any(name is not None and name.is_of(project, version) for name in names)


def _python(name: WheelName) -> tuple[int, int] | None:
    if "none" in name.abis and any(tag.startswith("py3") for tag in name.pythons):
        return (0, 0)
    newest = max((int(t[3:]) for t in name.pythons if re.fullmatch(r"cp3\d{1,3}", t)), default=0)
    if "abi3" in name.abis and newest:
        return (1, 0)
    if newest:
        return (2, -newest)
    return (3, 0) if any(tag.startswith(("py", "cp", "pp")) for tag in name.pythons) else None
