"""Binary packages of Debian, from the archives of the user's apt and from the snapshot archive.

Knows: how packages are pinned and fetched. Must not know: which mirrors there are, formats.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from attrs import define, field

from rvbuild.archives.deb import read_deb
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.archive_keys import ArchiveKeys
from rvbuild.kinds.debian.archive_search import first_answer
from rvbuild.kinds.debian.debian_index import Missing, PackageIndex
from rvbuild.kinds.debian.debian_release import (
    NoIndex,
    Release,
    Releases,
    archives_to_read,
)
from rvbuild.kinds.debian.index_policy import Archive, Foreign, IndexPolicy
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.transfers.addresses import Address
from rvbuild.transfers.apt_config import (
    APT,
    HINT,
    Archives,
    extra_keyrings,
    find_archives,
    is_debian,
    no_archive,
    unchecked_archives,
)
from rvbuild.transfers.apt_lists import lists_folder, origin_in_lists
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.once import Once
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.snapshot_archive import archive_at

_NO_SUITE = "check the suite, or set RVBUILD_DEBIAN_MIRROR to an archive that has it"
IndexKey = tuple[str, str, str]
"""An archive's address, a suite, and Debian's name of an architecture."""


@define(kw_only=True)
class DebianFetcher:
    """Fetches ``DebianPackage`` values, and resolves package names for the lock.

    Args:
        files: Downloads.
        releases: Reads the archives' indexes.
        archives: Gives the user's archives; called when first needed.
        mirrors: Asked before each archive.
    """

    files: PinnedFiles
    releases: Releases
    archives: Callable[[], Archives]
    mirrors: Mirrors
    _indexes: dict[IndexKey, PackageIndex | SourceError] = field(factory=dict, init=False)
    _releases: dict[tuple[str, str], Release] = field(factory=dict, init=False, repr=False)
    _orders: dict[str, list[Archive]] = field(factory=dict, init=False, repr=False)
    _refusals: dict[str, SourceError | VerificationError | None] = field(
        factory=dict, init=False, repr=False
    )
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def fetch(self, source: DebianPackage, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        lookup = partial(self._addresses, source)
        pin = Pin(label=source.label, sha256=source.sha256, size=source.size)
        hint = advise("archives drop superseded versions: ", Remedy.LOCK, f", or {HINT}")
        with self.files.search(pin, lookup, advance, hint=hint) as download:
            read_deb(download.file, into, name=source.label)

    def _addresses(self, source: DebianPackage, attempts: Attempts) -> Iterator[Address]:
        """Each folder's mirrors, then the folder itself; ``attempts`` says which are not asked."""
        archives = self.archives()
        if not archives.bases:
            attempts.add(str(APT), no_archive())
        for folder in _folders(archives, source.snapshot):
            address = f"{folder}/{source.pool}"
            yield from map(archives.address, self.mirrors.of(address))
            refusal = self._refusal(archives, folder)
            if refusal is None:
                yield archives.address(address)
            elif isinstance(refusal, NoIndex):
                attempts.include(refusal)
            else:
                attempts.failed(folder, refusal.message, refusal.hint)

    def _refusal(self, archives: Archives, base: str) -> SourceError | VerificationError | None:
        """Why an archive of apt's is not asked for a package: nothing says that it is Debian's.

        As apt does, rvbuild asks an archive for its own index first, once in a run: that of the
        first suite in apt's sources that is there. It does not ask where apt has read an index,
        or where the user names the archive to rvbuild.
        """
        suites = [suite for at, suite in archives.suite_options if at == base and is_debian(suite)]
        lists = lists_folder(archives.settings)
        if base in archives.mirrors or not suites:
            return None
        if any(origin_in_lists(lists, base, suite) for suite in suites):
            return None  # of Debian: `find_archives` has no other
        with self._lock:
            if base not in self._refusals:
                self._refusals[base] = self._look(archives, base, suites)
            return self._refusals[base]

    def _look(
        self, archives: Archives, base: str, suites: Iterable[str]
    ) -> SourceError | VerificationError | None:
        try:
            self.releases.refuse_foreign(archives, base, suites)
        except (SourceError, VerificationError) as error:
            return error
        return None

    def resolve(
        self,
        names: tuple[str, ...],
        suite: str,
        arch: str,
        without: tuple[str, ...] = (),
        earlier: Snapshot | None = None,
    ) -> tuple[DebianPackage, ...]:
        """Pin packages of a suite's ``main`` with all that they need; see debian_index.

        Args:
            names: Packages.
            suite: Its name: ``bookworm``.
            arch: A Go name.
            without: Packages that are left out.
            earlier: When the index was made that an earlier lock has the packages from.

        Raises:
            SourceError: the suite, its index or a package could not be had.
            VerificationError: the index is not what its signature or hash says.
        """
        here = ARCHITECTURES[arch].debian

        def answer(archive: Archive) -> tuple[DebianPackage, ...]:
            return self._index(archive, suite, here, earlier).closure(names, without)

        hint = self.files.advice(Pin(label=suite, sha256=""), _NO_SUITE)
        return first_answer(suite, self._order(suite), answer, hint)

    def snapshot(self, suite: str, earlier: Snapshot | None = None) -> Snapshot | None:
        """When the index of a suite was made that counts now; None if it does not say.

        Args:
            suite: Its name.
            earlier: See `resolve`.

        Raises: as `resolve`.
        """

        def answer(archive: Archive) -> Snapshot | None:
            with self._lock:
                return self._release(archive, suite, earlier).snapshot

        return first_answer(suite, self._order(suite), answer, _NO_SUITE)

    def _order(self, suite: str) -> list[Archive]:
        """What the snapshot archive has now is one archive, for the whole run."""
        with self._lock:
            if suite not in self._orders:
                self._orders[suite] = archives_to_read(self.archives(), suite)
            return self._orders[suite]

    def _index(
        self, archive: Archive, suite: str, arch: str, earlier: Snapshot | None
    ) -> PackageIndex:
        """An archive's index; one that could not be had is not asked for again."""
        key = (archive.base, suite, arch)
        with self._lock:
            index = self._indexes.get(key)
            if isinstance(index, SourceError):
                raise index
            if index is None or (earlier and index.snapshot and index.snapshot < earlier):
                try:
                    index = self._read(archive, suite, arch, earlier)
                except (NoIndex, Foreign, Missing) as error:
                    self._indexes[key] = error
                    raise
                self._indexes[key] = index
            return index

    def _read(
        self, archive: Archive, suite: str, arch: str, earlier: Snapshot | None
    ) -> PackageIndex:
        release = self._release(archive, suite, earlier)
        where = f"{suite} main {arch}"
        packages = self.releases.packages(release, arch)
        return PackageIndex.read(suite, packages, where, release.snapshot)

    def _release(self, archive: Archive, suite: str, earlier: Snapshot | None) -> Release:
        """What an archive says of a suite, for each architecture; asked once, unless it is old."""
        key = archive.base, suite
        known = self._releases.get(key)
        if known is None or (earlier and known.snapshot and known.snapshot < earlier):
            known = self.releases.release(self.archives(), archive, suite, earlier)
            self._releases[key] = known
        return known


def _folders(archives: Archives, snapshot: Snapshot | None) -> Iterator[str]:
    """The user's archives, then the snapshot archive as it was when an index had the package.

    The snapshot archive answers with its last run at or before a moment. The first run with
    an index is some hours younger than the index's date, and Debian keeps a file for more
    than a day after the last index that names it. So the next day has the package for sure;
    the date itself may have it in a copy that has a folder of that very name. Where a lock does
    not say the date, only what the snapshot archive has now is left.
    """
    yield from archives.bases
    if snapshot is None:
        yield from archives.of_now()
        return
    moments = (snapshot.later(days=1), str(snapshot))
    yield from (archive_at(base, moment) for base in archives.snapshots for moment in moments)


def client(services: FetchServices) -> DebianFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    files, environment = services.files, services.settings.environment
    archives = Once(partial(find_archives, environment))
    policy = IndexPolicy(
        keys=ArchiveKeys(extra_keyrings(environment)),
        apt_settings=lambda: archives().settings,
        unchecked=Once(partial(unchecked_archives, environment)),
        report=services.settings.notice,
    )
    return DebianFetcher(
        files=files,
        releases=Releases(files=files, policy=policy),
        archives=archives,
        mirrors=services.mirrors,
    )
