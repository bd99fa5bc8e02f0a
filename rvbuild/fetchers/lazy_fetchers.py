"""Every kind of source behind one door: fetched for builds, resolved for the lock.

Knows: which fetcher a source's type has. Must not know: how any of them works.

Importing this costs next to nothing; the fetchers, and the HTTP client under them, are
imported when the first source is asked for (`fetcher_set` says where).
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.source import Files, Source
from rvbuild.fetchers.fetch_settings import FetchSettings
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import DebianFile

if TYPE_CHECKING:
    from rvbuild.fetchers.fetcher_set import FetcherSet


class LazyFetchers:
    """Fetches and resolves sources of every kind; any number of threads may ask at once."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: FetcherSet | None = None

    @property
    def _fetchers(self) -> FetcherSet:
        with self._lock:
            if self._made is None:
                # late on purpose: the HTTP client costs 0.2 s, a build with nothing to do none
                module = importlib.import_module("rvbuild.fetchers.fetcher_set")
                self._made = module.FetcherSet(self._settings)
            return self._made

    def close(self) -> None:
        """Close the connections that are open."""
        if self._made is not None:
            self._made.close()

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        if isinstance(source, Files):  # they came with the recipe
            for path, data, executable in source.files:
                into.file(path, (data,), executable=executable)
        else:
            self._fetchers.fetch(source, into, advance)

    def git(self, url: str, commit: str, paths: tuple[str, ...] = ()) -> GitSource:
        """A commit's tree and date."""
        return self._fetchers.git.resolve(url, commit, paths)

    def go_module(self, path: str, version: str) -> str:
        """A module's ``h1:``."""
        return self._fetchers.go_module(path, version)

    def go_toolchain(self, version: str, platform: str) -> str:
        """A toolchain's ``h1:``; ``platform`` is ``linux-amd64``."""
        return self._fetchers.go_toolchain(version, platform)

    def wheel(self, project: str, version: str, arch: str) -> Wheel:
        """The wheel of a release for Linux on ``arch``."""
        return self._fetchers.pypi.resolve(project, version, arch)

    def debian(
        self, packages: tuple[str, ...], suite: str, arch: str, without: tuple[str, ...] = ()
    ) -> tuple[DebianPackage, ...]:
        """Packages with all that they need."""
        return self._fetchers.debian.resolve(packages, suite, arch, without)

    def url(self, urls: tuple[str, ...], debian: DebianFile | None = None) -> str:
        """The SHA-256 of a file."""
        return self._fetchers.url.resolve(urls, debian)

    def path(self, path: str) -> PathSource:
        """A folder, with the digest of its tree as it is now."""
        return self._fetchers.path.resolve(path)
