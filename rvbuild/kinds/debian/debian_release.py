"""A suite's index, and the Packages file that it names by hash.

Knows: the layout of a Debian archive's ``dists``.
Must not know: packages, why an index is believed.

Source: the Debian wiki's "DebianRepository/Format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import BinaryIO

from attrs import frozen

from rvbuild.archives.byte_stream import ByteStream
from rvbuild.archives.compression import decompressed
from rvbuild.archives.unpack_limits import Meter, UnpackLimits
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.debian_index import Missing
from rvbuild.kinds.debian.freshness import moment
from rvbuild.kinds.debian.index_policy import Archive, IndexPolicy, foreign_fault
from rvbuild.kinds.debian.signed_index import SignedIndex
from rvbuild.transfers.addresses import Address, Route
from rvbuild.transfers.apt_config import Archives, no_archive
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.snapshot_archive import is_moment, listings
from rvbuild.transfers.urls import shown

_SUITE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\Z")
_ENDINGS = (".xz", ".zst", ".gz", ".bz2", ".lzma", "")
_ROW = re.compile(r"\s*(?P<sha256>[0-9a-f]{64})\s+(?P<size>[0-9]{1,18})\s+(?P<path>\S+)\s*")
_RELEASE_LIMIT = 16 << 20
_INDEX_LIMIT = 1 << 30


class NoIndex(SourceError):
    """An archive gives no index of a suite; ``details`` has a line for each of its answers."""


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
            Missing: there is none for that architecture.
        """
        files = _listed(self.fields.get("sha256", ""))
        for ending in _ENDINGS:
            path = f"main/binary-{arch}/Packages{ending}"
            if path in files:
                return files[path]
        if not files:
            msg = f"the archive's index of {self.suite} has no SHA-256 of any file"
            hint = "use another archive, or let who runs it add the field SHA256"
            raise Missing(msg, where=shown(self.base), hint=hint)
        msg = f"{self.suite} has no packages for {arch}"
        raise Missing(msg, where=shown(self.base), hint="check the suite and architecture")

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
    """Reads a suite of an archive.

    Args:
        files: Downloads.
        policy: Decides what is believed.
    """

    files: PinnedFiles
    policy: IndexPolicy

    def release(
        self, archives: Archives, archive: Archive, suite: str, earlier: Snapshot | None = None
    ) -> Release:
        """The suite's index.

        Args:
            archives: How archives are reached.
            archive: One of them.
            suite: Its name.
            earlier: When the index was made that an earlier lock has the packages from.

        Raises:
            RecipeError: no suite can have this name.
            NoIndex: the archive does not have it.
            Foreign: it is another vendor's.
            SourceError: a keyring that the user named cannot be read.
            VerificationError: it is not to be believed.
        """
        if not _SUITE.match(suite):
            msg = f"not the name of a Debian suite: {suite!r}"
            raise RecipeError(msg)
        index, address = self._index(archives, f"{archive.base}/dists/{suite}")
        fields = self.policy.believe(index, archive, suite, address=address, earlier=earlier)
        return Release(base=archive.base, suite=suite, fields=fields, route=archives.route)

    def refuse_foreign(self, archives: Archives, base: str, suites: Iterable[str]) -> None:
        """See that an archive says to be Debian's, if the user does not believe it without proof.

        The first of the suites that has an index decides. One that is not there or is damaged says
        nothing of whose the archive is. Nothing else of an index is believed.

        Example: a mirror has ``bookworm`` and not ``bookworm-backports``, and apt's sources name
        the latter first. The index of ``bookworm`` says whose the mirror is.

        Raises:
            NoIndex: the archive has none of the suites.
            Foreign: it is another vendor's.
            VerificationError: an index is damaged, and no other suite has one.
        """
        if self.policy.is_unchecked(base):
            return
        attempts, damage = Attempts(base), None
        for suite in suites:
            try:
                index, _ = self._index(archives, f"{base}/dists/{suite}")
            except NoIndex as error:
                attempts.include(error)
            except VerificationError as error:
                damage = damage or error
            else:
                fault = foreign_fault(index)
                if fault is not None:
                    raise fault
                return
        raise damage or _no_index(attempts)

    def _index(self, archives: Archives, folder: str) -> tuple[SignedIndex, str]:
        """What an archive has, and its address: ``InRelease``, else ``Release``, ``Release.gpg``.

        That there is no ``Release.gpg`` is the archive's word. What has no answer has no word, and
        no index either.

        Raises:
            NoIndex: there is none.
            VerificationError: it is damaged.
        """
        attempts = Attempts(folder)
        address = archives.address(f"{folder}/InRelease")
        alone = archives.address(f"{folder}/Release")
        signatures = archives.address(f"{folder}/Release.gpg")
        data = self._document(address, attempts)
        if data is not None:
            return _parsed(address.text, SignedIndex.parse, data, attempts)
        if not self.files.doubted(address):
            data = self._document(alone, attempts)
        if data is None:
            raise _no_index(attempts)
        try:
            signed = self.files.document(signatures, _RELEASE_LIMIT)
        except NotThere:
            signed = b""
        except SourceError as error:
            attempts.add(signatures.text, error)
            raise _no_index(attempts) from error
        parse = partial(SignedIndex.parse_unsigned, signatures=signed)
        return _parsed(alone.text, parse, data, attempts)

    def _document(self, address: Address, attempts: Attempts) -> bytes | None:
        """What is at an address; None if it could not be had, and ``attempts`` says why."""
        try:
            return self.files.document(address, _RELEASE_LIMIT)
        except SourceError as error:
            attempts.add(address.text, error)
            return None

    def packages(self, release: Release, arch: str) -> bytes:
        """The suite's Packages file, checked by the Release file's hash.

        Raises:
            Missing: there is none for that architecture.
            NoIndex: the archive does not have it.
            VerificationError: it is another one.
        """
        index = release.packages(arch)
        pin = Pin(label=f"Debian {release.suite} packages", sha256=index.sha256, size=index.size)
        try:
            with self.files.opened(pin, release.addresses(index), no_progress) as download:
                return _decompressed(download.file, index.path)
        except SourceError as error:
            raise NoIndex(error.message, hint=error.hint, details=error.details) from error


def _no_index(attempts: Attempts) -> NoIndex:
    error = attempts.error("")
    return NoIndex(error.message, hint=error.hint, details=error.details)


def _parsed(
    address: str, parse: Callable[[bytes], SignedIndex], data: bytes, attempts: Attempts
) -> tuple[SignedIndex, str]:
    """An index and its address.

    Raises:
        NoIndex: it is a page that is none.
        VerificationError: it is damaged.
    """
    try:
        return parse(data), address
    except SourceError as error:
        attempts.add(address, error)
        raise _no_index(attempts) from error
    except VerificationError as error:
        error.where = shown(address)
        error.hint = "use another archive: this one's index is damaged"
        raise


def archives_to_read(archives: Archives, suite: str) -> list[Archive]:
    """The archives whose indexes are read: the user's, then what the snapshot archives have now.

    Args:
        archives: All of the machine.
        suite: Of whose entries apt's words count.

    Raises:
        SourceError: there is none of either.
    """
    own = [_of_user(archives, base, suite) for base in archives.bases]
    past = [
        Archive(base=base, past=True, chosen=not archives.frozen.isdisjoint(listings(base)))
        for base in archives.of_now()
    ]
    if not own and not past:
        raise no_archive()
    return own + past


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
        is_debian=options is None or base in archives.mirrors,
    )


def _decompressed(file: BinaryIO, path: str) -> bytes:
    """The content of a compressed index.

    Raises:
        VerificationError: damaged, or far larger than any index.
    """
    meter = Meter(path, UnpackLimits(total=_INDEX_LIMIT))
    return b"".join(decompressed(ByteStream(file, path), meter))
