"""Go modules, toolchains and go.mod files, each checked by its ``h1:``.

Knows: what a module zip may hold (golang.org/x/mod/zip), how the go command lays out a
toolchain and a module cache. Must not know: which proxy is asked, how a tree is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial

from attrs import evolve, field, frozen

from rvbuild.archives.unpack_limits import Links, UnpackLimits
from rvbuild.archives.zipfile import read_zip
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import WrongContent
from rvbuild.core.go_graph import MainModule, needed_sums, sums_digest
from rvbuild.core.go_source import INSTEAD, GoModFiles, GoModule
from rvbuild.core.gomod import escape_path
from rvbuild.core.gosum import GoSum, hash1, hash1_go_mod
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.git.repositories import Repositories
from rvbuild.kinds.go.commit_module import MAX_ZIP
from rvbuild.kinds.go.direct import Direct
from rvbuild.kinds.go.go_mod_reader import GoModReader
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import go_settings
from rvbuild.kinds.go.go_zip import check_names
from rvbuild.kinds.go.pinned_hash import check_h1_of
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.sum_database import SumDatabase
from rvbuild.kinds.go.sum_settings import SumSettings
from rvbuild.kinds.go.toolchain_module import TOOLCHAIN, toolchain_version
from rvbuild.kinds.go.versions import GoVersions
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.once import Once

_RELOCK = advise(Remedy.LOCK, ", and look at what changes in rvbuild.lock")
_LIMITS = UnpackLimits(total=MAX_ZIP, repeats=False)  # Go refuses a name that comes twice


@frozen
class _Module:
    """A module, and the ``h1:`` that its zip must have; empty if nobody pinned it."""

    path: str
    version: str
    h1: str = ""


@frozen
class GoModuleFetcher:
    """Brings a module's folder."""

    proxy: GoProxy

    def fetch(self, source: GoModule, into: TreeSink, advance: Advance) -> None:
        """See core.ports.fetcher.Fetcher."""
        module = _Module(source.path, source.version, source.h1)
        with _unpacked(self.proxy, module, into, advance) as (hashes, url):
            check_h1_of(source.h1, hash1(hashes), f"{source.path}@{source.version}", url)


@frozen
class GoToolchainFetcher:
    """Brings a GOROOT, as the go command makes it of the module golang.org/toolchain."""

    proxy: GoProxy

    def fetch(self, source: GoToolchain, into: TreeSink, advance: Advance) -> None:
        """See core.ports.fetcher.Fetcher."""
        version = toolchain_version(source.version, source.platform)
        prefix = f"{TOOLCHAIN}@{version}/"
        module = _Module(TOOLCHAIN, version, source.h1)
        with _unpacked(self.proxy, module, into, advance) as (hashes, url):
            check_h1_of(source.h1, hash1(hashes), source.label, url)
        # A zip of a module cannot have other modules in it, so theirs are called _go.mod.
        for name in hashes:
            folder, _, base = name.removeprefix(prefix).rpartition("/")
            if base == "_go.mod":
                into.copy(f"{folder}/go.mod", f"{folder}/_go.mod")


@frozen
class GoModFilesFetcher:
    """Brings ``cache/download``: .mod files from the proxy, .info and .ziphash from the source.

    The .info says the version alone: the go command asks it for no more, and the rest would
    differ between proxies.
    """

    go_mods: GoModReader

    def fetch(self, source: GoModFiles, into: TreeSink, advance: Advance) -> None:
        """See core.ports.fetcher.Fetcher; ``source`` must have its main module.

        Raises:
            VerificationError: the go.sum is another one, or does not have a needed module so.
        """
        main = source.main
        if main is None:
            msg = "go.mod files without the module that needs them"
            raise TypeError(msg)
        sums = self._sums(source, main)
        mods = sorted(sums.mods.items())
        for count, data in enumerate(self.go_mods.read(mods), 1):
            into.file(f"{_cache_key(*mods[count - 1][0])}.mod", [data])
            advance(count, len(mods))
        for path, version, h1 in source.modules:
            key = _cache_key(path, version)
            info = json.dumps({"Version": version}, separators=(",", ":"))
            into.file(f"{key}.info", [info.encode()])
            into.file(f"{key}.ziphash", [h1.encode()])
        if source.changes:
            into.file(f"{INSTEAD}/go.mod", [main.go_mod.encode()])
            into.file(f"{INSTEAD}/go.sum", [main.changes.go_sum(main.go_sum)])

    def resolve(self, main: MainModule, *, discover: bool = False) -> GoModFiles:
        """All that the graph of ``main`` can need of its go.sum.

        Args:
            main: The module.
            discover: See `rvbuild.core.go_source.GoModFilesSpec`.
        """
        first_seen = self.go_mods.first_seen if discover else None
        needed = needed_sums(main, self.go_mods.read, first_seen)
        modules = tuple(sorted((*key, h1) for key, h1 in needed.modules.items()))
        known = main.sums().mods
        first = {
            f"{path} {version}/go.mod {h1}"
            for (path, version), h1 in needed.mods.items()
            if (path, version) not in known
        }
        changes = evolve(main.changes, offered=tuple(sorted({*main.changes.offered, *first})))
        return GoModFiles(go_sum=sums_digest(main, needed), modules=modules, changes=changes)

    def _sums(self, source: GoModFiles, main: MainModule) -> GoSum:
        """The locked lines of the go.sum: all of it, or what the module's graph needs."""
        sums = main.sums()
        if source.changes or hashlib.sha256(main.go_sum).hexdigest() != source.go_sum:
            sums = needed_sums(main, self.go_mods.read)
            _refuse_other_sums(source, sums_digest(main, sums))
        for path, version, h1 in source.modules:
            if sums.modules.get((path, version)) != h1:
                msg = f"the go.sum does not have {path} {version} as it is locked"
                raise WrongContent(msg, where=source.label, hint=_RELOCK)
        return sums


def _refuse_other_sums(source: GoModFiles, digest: str) -> None:
    if digest != source.go_sum:
        msg = "the go.sum of the source is not the locked one"
        details = (f"locked: {source.go_sum}", f"source: {digest}")
        raise WrongContent(msg, where=source.label, hint=_RELOCK, details=details)


def resolve_h1(proxy: GoProxy, path: str, version: str) -> str:
    """The ``h1:`` that the proxy's zip of a module has now: trust on first use.

    Raises:
        SourceError: no proxy has it.
        VerificationError: it is not a module's zip.
    """
    with _unpacked(proxy, _Module(path, version), _Hashing(), no_progress) as (hashes, _url):
        return hash1(hashes)


def resolve_toolchain(proxy: GoProxy, version: str, platform: str) -> str:
    """The ``h1:`` of a toolchain; see ``resolve_h1``."""
    return resolve_h1(proxy, TOOLCHAIN, toolchain_version(version, platform))


class _Hashing:
    """A sink that keeps nothing."""

    def directory(self, path: str) -> None:
        pass

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        del path, executable
        running = hashlib.sha256()
        for chunk in chunks:
            running.update(chunk)
        return running.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        pass

    def copy(self, path: str, of: str) -> None:
        pass


@contextmanager
def _unpacked(
    proxy: GoProxy, module: _Module, into: TreeSink, advance: Advance
) -> Iterator[tuple[Mapping[str, str], str]]:
    """A module's zip, unpacked: the SHA-256 of each file by its name in the zip, and the URL."""
    path, version, h1 = module.path, module.version, module.h1
    prefix = f"{path}@{version}/"
    with proxy.zip(path, version, advance, h1) as (file, url):
        hashes = read_zip(
            file,
            into,
            name=url,
            prefix=prefix,
            limits=_LIMITS,
            links=Links.NONE,
            executable=_runs_in_goroot(prefix) if path == TOOLCHAIN else lambda _name: False,
        )
        check_names((name[len(prefix) :] for name in hashes), url)
        yield hashes, url


def _runs_in_goroot(prefix: str) -> Callable[[str], bool]:
    """Which files the go command makes executable (cmd/go/internal/toolchain, Exec)."""

    def runs(name: str) -> bool:
        path = name[len(prefix) :]
        if path.startswith(("bin/", "pkg/tool/")):
            return True
        return path.startswith("lib/") and fnmatchcase(path.rpartition("/")[2], "go_?*_?*_exec")

    return runs


def _cache_key(path: str, version: str) -> str:
    return f"cache/download/{escape_path(path)}/@v/{escape_path(version)}"


@frozen
class GoClient:
    """Brings whatever a Go proxy has, and finds its hashes for the lock."""

    proxy: GoProxy
    sums: SumDatabase
    go_mods: GoModReader = field()

    @go_mods.default
    def _go_mods(self) -> GoModReader:
        return GoModReader(self.proxy)

    @property
    def versions(self) -> GoVersions:
        """Lists versions."""
        return GoVersions(self.proxy)

    def fetch(
        self, source: GoModule | GoToolchain | GoModFiles, into: TreeSink, advance: Advance
    ) -> None:
        """See core.ports.fetcher.Fetcher."""
        match source:
            case GoModule():
                GoModuleFetcher(self.proxy).fetch(source, into, advance)
            case GoToolchain():
                GoToolchainFetcher(self.proxy).fetch(source, into, advance)
            case GoModFiles():
                GoModFilesFetcher(self.go_mods).fetch(source, into, advance)

    def go_module(self, path: str, version: str) -> str:
        """A module's ``h1:``; see ``resolve_h1``."""
        return resolve_h1(self.proxy, path, version)

    def go_mod(self, path: str, version: str) -> str:
        """The ``h1:`` of a module's go.mod, as it is there now.

        Raises:
            SourceError: no proxy has it.
        """
        data, _ = self.proxy.go_mod(path, version)
        return hash1_go_mod(data)

    def go_toolchain(self, version: str, platform: str) -> str:
        """A toolchain's ``h1:``; ``platform`` is ``linux-amd64``."""
        return resolve_toolchain(self.proxy, version, platform)

    def go_mod_files(self, main: MainModule, *, discover: bool = False) -> GoModFiles:
        """What a module needs of its go.sum; see `GoModFilesFetcher.resolve`."""
        return GoModFilesFetcher(self.go_mods).resolve(main, discover=discover)

    def check_first_seen(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """Hold lines that no go.sum has to the checksum database; see `SumDatabase.check`."""
        return self.sums.check(lines)


def client(services: FetchServices) -> GoClient:
    """See `rvbuild.kinds.modules.FetchModule`."""
    settings = Once(partial(go_settings, services.settings.environment))
    proxy = GoProxy(
        transport=services.transport,
        settings=settings,
        direct=Direct(Repositories.of(services), services.transport.get),
        spool=services.spool,
    )
    sums = SumDatabase(
        proxies=settings,
        settings=Once(partial(SumSettings.of, services.settings.environment)),
        get=proxy.document,
        is_signature=services.settings.is_signature,
        report=services.settings.notice,
    )
    return GoClient(proxy, sums)
