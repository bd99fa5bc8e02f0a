"""Which versions a module, and the Go toolchain, have by the word of module proxies.

Knows: lists, times and retractions (https://go.dev/ref/mod#goproxy-protocol). Must not know: which
proxy is asked, what is done with a version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.gomod import is_module_version, retracted_by
from rvbuild.core.moment import read_moment
from rvbuild.core.semver import SemanticVersion
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.module_path import is_pseudo_version
from rvbuild.kinds.go.toolchain_module import TOOLCHAIN, toolchain_version


@frozen
class GoVersions:
    """Lists versions.

    Attributes:
        proxy: Asks the user's proxies.
    """

    proxy: GoProxy

    def module(self, path: str) -> tuple[str, ...]:
        """What ``go list -m -versions`` says: without what the newest version retracts.

        Raises:
            SourceError: no proxy says it.
        """
        versions = sorted(self._listed(path), key=SemanticVersion.parse)
        if not versions:
            return ()
        releases = [each for each in versions if SemanticVersion.parse(each).is_release]
        newest = (releases or versions)[-1]
        retracted = [*retracted_by(self.proxy.go_mod(path, newest)[0])]
        return tuple(each for each in versions if not _is_in(each, retracted))

    def module_moments(self, path: str, versions: Sequence[str]) -> Mapping[str, int]:
        """When versions were published, without those of which no proxy says it."""
        moments = ((version, self._moment(path, version)) for version in versions)
        return {version: moment for version, moment in moments if moment is not None}

    def toolchain(self, platform: str) -> tuple[str, ...]:
        """The Go toolchains for a platform (``linux-amd64``), as ``1.26.1``.

        Raises:
            SourceError: no proxy says it.
        """
        begin, _, end = toolchain_version("\0", platform).partition("\0")
        listed = [each for each in self._listed(TOOLCHAIN) if each.endswith(end)]
        return tuple(each.removeprefix(begin).removesuffix(end) for each in listed)

    def toolchain_moments(self, platform: str, versions: Sequence[str]) -> Mapping[str, int]:
        """When toolchains were published; see `module_moments`."""
        modules = {toolchain_version(version, platform): version for version in versions}
        moments = self.module_moments(TOOLCHAIN, [*modules])
        return {modules[module]: moment for module, moment in moments.items()}

    def _listed(self, path: str) -> Iterator[str]:
        """What a proxy lists; some list pseudo-versions, too, that somebody asked for."""
        words = self.proxy.list(path).decode(errors="replace").split()
        return (each for each in words if is_module_version(each) and not is_pseudo_version(each))

    def _moment(self, path: str, version: str) -> int | None:
        with suppress(SourceError, ValueError, KeyError, TypeError):
            return read_moment(str(json.loads(self.proxy.info(path, version))["Time"]))
        return None


def _is_in(version: str, ranges: Sequence[tuple[str, str]]) -> bool:
    rank = SemanticVersion.parse(version)
    return any(
        SemanticVersion.parse(low) <= rank <= SemanticVersion.parse(high) for low, high in ranges
    )
