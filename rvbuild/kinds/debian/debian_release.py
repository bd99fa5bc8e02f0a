"""A suite's index, and the Packages file that it names by hash.

Knows: the layout of a Debian archive's ``dists``.
Must not know: packages, why an index is believed.

Source: the Debian wiki's "DebianRepository/Format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from attrs import frozen

from rvbuild.archives.byte_stream import ByteStream
from rvbuild.archives.compression import decompressed
from rvbuild.archives.unpack_limits import Meter, UnpackLimits
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.freshness import moment
from rvbuild.kinds.debian.index_policy import Archive, IndexPolicy, Outdated
from rvbuild.kinds.debian.signed_index import SignedIndex
from rvbuild.transfers.addresses import Address, Route
from rvbuild.transfers.apt_config import Archives, no_archive
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.snapshot_archive import is_moment, listings
from rvbuild.transfers.urls import shown

_SUITE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\Z")
_ENDINGS = (".xz", ".zst", ".gz", ".bz2", ".lzma", "")
_ROW = re.compile(r"\s*(?P<sha256>[0-9a-f]{64})\s+(?P<size>[0-9]{1,18})\s+(?P<path>\S+)\s*")
_RELEASE_LIMIT = 16 << 20
_INDEX_LIMIT = 1 << 30


@frozen(kw_only=True)
class Listed:
    """A file that a Release file names."""

    path: str
    sha256: str
    size: int


@frozen(kw_only=True)
class Release:
    """What an archive says of a suite.

    ``base`` is the archive, ``fields`` its words by name, ``route`` the way to the archive.
    """

    base: str
    suite: str
    fields: Mapping[str, str]
    route: Route | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """Its ``Date``; None if it has none, or one at which no archive can have made it."""
        date = moment(self.fields.get("date", ""))
        try:
            return Snapshot(date) if date else None
        except ValueError:
            return None

    def packages(self, arch: str) -> Listed:
        """The best compressed Packages file of the suite's ``main``.

        The plain one is the last: many an archive lists it and does not have it.

        Raises:
            SourceError: there is none for that architecture.
        """
        files = _listed(self.fields.get("sha256", ""))
        for ending in _ENDINGS:
            path = f"main/binary-{arch}/Packages{ending}"
            if path in files:
                return files[path]
        if not files:
            msg = f"the archive's index of {self.suite} has no SHA-256 of any file"
            hint = "use another archive, or let who runs it add the field SHA256"
            raise SourceError(msg, where=shown(self.base), hint=hint)
        msg = f"{self.suite} has no packages for {arch}"
        raise SourceError(msg, where=shown(self.base), hint="check the suite and architecture")

    def addresses(self, file: Listed) -> tuple[Address, ...]:
        """Where the file is: by its hash, which does not change under us, then by its name."""
        folder = f"{self.base}/dists/{self.suite}"
        by_hash = f"{folder}/{file.path.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}"
        return Address(by_hash, self.route), Address(f"{folder}/{file.path}", self.route)


def _listed(text: str) -> dict[str, Listed]:
    rows = filter(None, (_ROW.fullmatch(line) for line in text.splitlines()))
    return {
        row["path"]: Listed(path=row["path"], sha256=row["sha256"], size=int(row["size"]))
        for row in rows
    }


@frozen(kw_only=True)
class Releases:
    """Reads suites of the user's Debian archives, or of the snapshot archive where there are none.

    What an archive answers decides what comes next:

    - An index that is believed (`IndexPolicy`): it is taken, and no further archive is asked.
    - No answer, a refusal, or a page that is no index (a portal's): the next archive is asked.
    - An index that was good once and is too old: the next archive is asked. If none has a newer
      one, this is the error.
    - Any other index: an error at once. Whoever made it wants to be believed, and the next
      archive's index may be old.

    Example: the mirror ``a`` does not answer, ``b`` has an index that expired last week, and ``c``
    a good one. The one of ``c`` is taken. If ``c`` is not there, the error says that ``b``'s
    expired.

    Args:
        files: Downloads.
        policy: Decides what is believed.
    """

    files: PinnedFiles
    policy: IndexPolicy

    def release(self, archives: Archives, suite: str, earlier: Snapshot | None = None) -> Release:
        """The suite's index.

        Args:
            archives: The user's, and the snapshot archives.
            suite: Its name.
            earlier: When the index was made that an earlier lock has the packages from.

        Raises:
            RecipeError: no suite can have this name.
            SourceError: no archive has it, or there is none; or a keyring that the user named
                cannot be read.
            VerificationError: it is not to be believed.
        """
        if not _SUITE.match(suite):
            msg = f"not the name of a Debian suite: {suite!r}"
            raise RecipeError(msg)
        attempts = Attempts(f"Debian {suite}")
        outdated: Outdated | None = None
        for archive in self._archives(archives, suite):
            try:
                index, address = self._index(archives, archive.base, suite, attempts)
            except SourceError:
                continue
            try:
                fields = self.policy.believe(
                    index, archive, suite, address=address, earlier=earlier
                )
            except Outdated as error:
                attempts.add(str(error.where), error)
                outdated = outdated or error
            else:
                route = archives.route
                return Release(base=archive.base, suite=suite, fields=fields, route=route)
        if outdated is not None:
            outdated.details = tuple(attempts.lines)
            raise outdated
        hint = "check the suite, or set RVBUILD_DEBIAN_MIRROR to an archive that has it"
        raise attempts.error(self.files.advice(Pin(label=attempts.label, sha256=""), hint))

    def _archives(self, archives: Archives, suite: str) -> list[Archive]:
        """The user's; where there is none, what the snapshot archives have now.

        Raises:
            SourceError: there is none of either.
        """
        if archives.bases:
            return [_of_user(archives, base, suite) for base in archives.bases]
        if not archives.snapshots:
            raise no_archive()
        return [
            Archive(base=base, past=True, chosen=not archives.frozen.isdisjoint(listings(base)))
            for base in archives.of_now()
        ]

    def _index(
        self, archives: Archives, base: str, suite: str, attempts: Attempts
    ) -> tuple[SignedIndex, str]:
        """What an archive has, and its address: ``InRelease``, else ``Release``, ``Release.gpg``.

        Raises:
            SourceError: it has no index; ``attempts`` says why.
            VerificationError: it is damaged.
        """
        folder = f"{base}/dists/{suite}"
        address = archives.address(f"{folder}/InRelease")
        try:
            data = self._file(address)
        except SourceError as error:
            attempts.include(error)
            if self.files.doubted(address):
                raise
            alone = archives.address(f"{folder}/Release")
            data = self._file(alone)
            signatures = self._signatures(archives.address(f"{alone.text}.gpg"))
            return self._parsed(alone.text, data, attempts, signatures)
        return self._parsed(address.text, data, attempts)

    def _signatures(self, address: Address) -> bytes:
        try:
            return self._file(address)
        except SourceError:
            return b""

    def _parsed(
        self, address: str, data: bytes, attempts: Attempts, signatures: bytes | None = None
    ) -> tuple[SignedIndex, str]:
        try:
            if signatures is None:
                return SignedIndex.parse(data), address
            return SignedIndex.parse_unsigned(data, signatures), address
        except SourceError as error:
            attempts.add(address, error)
            raise
        except VerificationError as error:
            error.where = shown(address)
            error.hint = "use another archive: this one's index is damaged"
            raise

    def _file(self, address: Address) -> bytes:
        pin = Pin(label=address.text, sha256="")
        with self.files.opened(pin, [address], no_progress, hint="") as download:
            return download.file.read(_RELEASE_LIMIT)

    def packages(self, release: Release, arch: str) -> bytes:
        """The suite's Packages file, checked by the Release file's hash."""
        index = release.packages(arch)
        pin = Pin(label=f"Debian {release.suite} packages", sha256=index.sha256, size=index.size)
        with self.files.opened(pin, release.addresses(index), no_progress) as download:
            return _decompressed(download.file, index.path)


def _of_user(archives: Archives, base: str, suite: str) -> Archive:
    """One of the user's archives, with what the user says of it."""
    options = archives.options_of(base, suite)
    past = is_moment(base) or not archives.frozen.isdisjoint(listings(base))
    return Archive(
        base=base,
        options=options,
        keyrings=archives.keyrings,
        past=past,
        chosen=past or (options is not None and options.check_valid_until is False),
    )


def _decompressed(file: BinaryIO, path: str) -> bytes:
    """The content of a compressed index.

    Raises:
        VerificationError: damaged, or far larger than any index.
    """
    meter = Meter(path, UnpackLimits(total=_INDEX_LIMIT))
    return b"".join(decompressed(ByteStream(file, path), meter))
