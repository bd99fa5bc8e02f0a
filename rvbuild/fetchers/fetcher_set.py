"""All the fetchers, put together from one set of settings.

Knows: every concrete fetcher, and what they share. Must not know: what any of them does.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.source import Source
from rvbuild.fetchers.apt_config import find_archives
from rvbuild.fetchers.debian import DebianFetcher
from rvbuild.fetchers.debian_release import Releases
from rvbuild.fetchers.fetch_settings import OFFLINE_HINT, FetchSettings
from rvbuild.fetchers.git import GitFetcher
from rvbuild.fetchers.git_archive import ForgeArchives
from rvbuild.fetchers.go import (
    GoModFilesFetcher,
    GoModuleFetcher,
    GoToolchainFetcher,
    resolve_h1,
    resolve_toolchain,
)
from rvbuild.fetchers.go_proxy import GoProxy
from rvbuild.fetchers.go_settings import go_settings
from rvbuild.fetchers.mirrors import Mirrors
from rvbuild.fetchers.once import Once
from rvbuild.fetchers.path import PathFetcher
from rvbuild.fetchers.pinned_files import PinnedFiles
from rvbuild.fetchers.pip_config import find_indexes
from rvbuild.fetchers.pypi import PypiFetcher
from rvbuild.fetchers.transport import Transport
from rvbuild.fetchers.url import UrlFetcher
from rvbuild.fetchers.urls import Credentials, shown
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import UrlSource

_IN_MEMORY = 8 << 20


class NoTransport(Transport):
    """What stands for the network where ``--offline`` forbids it."""

    def __init__(self) -> None:
        super().__init__(connections=1, credentials=Credentials({}))

    def download(self, url: str, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            SourceError: always.
        """
        msg = "not asked: --offline forbids the network"
        raise SourceError(msg, where=shown(url), hint=OFFLINE_HINT)


class FetcherSet:
    """One fetcher for each kind of source."""

    def __init__(self, settings: FetchSettings) -> None:
        environment, tmp = settings.environment, Path(settings.tmp)
        mirrors = Mirrors(settings.mirrors)
        self._transport = NoTransport() if settings.offline else Transport()
        files = PinnedFiles(
            transport=self._transport, temp=tmp, offline=settings.offline, report=settings.notice
        )
        archives = Once(partial(find_archives, environment))
        self.git = GitFetcher(
            mirrors=mirrors,
            repositories=tmp / "git",
            temp=tmp,
            environment=environment,
            archives=ForgeArchives(files=files, mirrors=mirrors),
            offline=settings.offline,
        )
        self.pypi = PypiFetcher(files=files, indexes=Once(partial(find_indexes, environment)))
        self.debian = DebianFetcher(
            files=files,
            releases=Releases(files=files, environment=environment, report=settings.notice),
            archives=archives,
            mirrors=mirrors,
        )
        self.url = UrlFetcher(files=files, mirrors=mirrors, archives=archives)
        self.path = PathFetcher()
        self._go = GoProxy(
            transport=self._transport,
            settings=Once(partial(go_settings, environment)),
            spool=partial(_spool, tmp),
        )
        self._fetchers: dict[type, Any] = {
            GitSource: self.git,
            Wheel: self.pypi,
            DebianPackage: self.debian,
            UrlSource: self.url,
            PathSource: self.path,
            GoModule: GoModuleFetcher(self._go),
            GoToolchain: GoToolchainFetcher(self._go),
            GoModFiles: GoModFilesFetcher(self._go),
        }

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        """Fetch a source of any kind."""
        fetcher = self._fetchers.get(type(source))
        if fetcher is None:
            msg = f"no way to fetch a {type(source).__name__}"
            raise RecipeError(msg)
        fetcher.fetch(source, into, advance)

    def go_module(self, path: str, version: str) -> str:
        """A module's ``h1:``."""
        return resolve_h1(self._go, path, version)

    def go_toolchain(self, version: str, platform: str) -> str:
        """A toolchain's ``h1:``."""
        return resolve_toolchain(self._go, version, platform)

    def close(self) -> None:
        """Close the connections that are open."""
        self._transport.close()


def _spool(tmp: Path) -> BinaryIO:
    tmp.mkdir(parents=True, exist_ok=True)
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(tmp)))
