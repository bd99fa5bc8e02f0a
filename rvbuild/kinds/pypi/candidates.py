"""Which releases of a project have a wheel for the build machine, in the user's indexes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.version_form import VersionForm
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.pypi.wheel_name import to_version


class WheelReleases(Protocol):
    """Lists releases; see kinds/pypi/fetch."""

    def releases(self, project: str, arch: str) -> Mapping[str, int | None]: ...


def version_word(spec: WheelSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    del spec
    return "version"


def upstream(spec: WheelSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return spec.project


def ask(spec: WheelSpec, context: ResolveContext, client: WheelReleases) -> VersionListing:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    releases = client.releases(spec.project, context.build_arch)

    def moments(versions: Sequence[str]) -> Mapping[str, int]:
        known = ((version, releases[version]) for version in versions)
        return {version: moment for version, moment in known if moment is not None}

    return VersionListing(versions=tuple(releases), form=form, moments=moments)


def form(text: str) -> VersionForm | None:
    """A version of PEP 440; one with a local label is of that label's family."""
    version = to_version(text)
    if version is None:
        return None
    numbers: tuple[Hashable, ...] = (version.epoch, version.major)
    return VersionForm(
        family=version.local or "",
        major=numbers,
        minor=(*numbers, version.minor),
        release=(*numbers, version.minor, version.micro, version.release[3:]),
        is_prerelease=version.is_prerelease,
        rank=version,
    )
