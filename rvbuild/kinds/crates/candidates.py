"""Which versions of a crate the user's registry has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.semver import SemanticVersion
from rvbuild.core.version_form import VersionForm
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.crates.spec import CrateSpec, CratesSpec


class CrateVersions(Protocol):
    """Lists versions; see kinds/crates/fetch."""

    def versions(self, name: str) -> Mapping[str, int | None]: ...


def version_word(spec: CrateSpec | CratesSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`; a Cargo.lock says what `crates` are."""
    return "version" if isinstance(spec, CrateSpec) else ""


def upstream(spec: CrateSpec | CratesSpec) -> str:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    return spec.name if isinstance(spec, CrateSpec) else ""


def ask(spec: CrateSpec, context: ResolveContext, client: CrateVersions) -> VersionListing:
    """See `rvbuild.kinds.modules.CandidatesModule`."""
    del context
    listed = client.versions(spec.name)

    def moments(versions: Sequence[str]) -> Mapping[str, int]:
        known = ((version, listed[version]) for version in versions)
        return {version: moment for version, moment in known if moment is not None}

    return VersionListing(versions=tuple(listed), form=form, moments=moments)


def form(text: str) -> VersionForm | None:
    """A version as cargo has it: below 1.0 the first number that is not 0 is the major one."""
    version = SemanticVersion.parse(text)
    if not version.numbers:
        return None
    major = next((at for at, (digits, _) in enumerate(version.numbers) if digits), 2) + 1
    return VersionForm(
        family="",
        major=version.numbers[:major],
        minor=version.numbers[: max(major, 2)],
        release=version.numbers,
        is_prerelease=not version.is_release,
        rank=version,
    )
