"""A suite's signed index: InRelease, and the Packages file that it names by hash.

Knows: the layout of a Debian archive's ``dists``, how its signature is checked.
Must not know: packages.

Source: the Debian wiki's "DebianRepository/Format".
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from rvbuild.archives.byte_stream import ByteStream
from rvbuild.archives.compression import decompressed
from rvbuild.archives.unpack_limits import Meter, UnpackLimits
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.events import Noticed, Reporter
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.snapshot import Snapshot
from rvbuild.transfers.addresses import Address, Route
from rvbuild.transfers.apt_config import Archives, no_archive, paragraphs
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.urls import shown

_SUITE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\Z")
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

    ``base`` is the archive, ``text`` the signed words, ``route`` the way to the archive.
    """

    base: str
    suite: str
    text: str
    route: Route | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """Its ``Date``; None if it has none, or one at which no archive can have made it."""
        date = next(paragraphs(self.text), {}).get("date", "")
        try:
            return Snapshot(parsedate_to_datetime(date))
        except (ValueError, OverflowError):
            return None

    def packages(self, arch: str) -> Listed:
        """The best compressed Packages file of the suite's ``main``.

        Raises:
            SourceError: there is none for that architecture.
        """
        files = _listed(self.text)
        for ending in ("xz", "gz", "bz2"):
            path = f"main/binary-{arch}/Packages.{ending}"
            if path in files:
                return files[path]
        msg = f"{self.suite} has no packages for {arch}"
        raise SourceError(msg, where=shown(self.base), hint="check the suite and architecture")

    def addresses(self, file: Listed) -> tuple[Address, ...]:
        """Where the file is: by its hash, which does not change under us, then by its name."""
        folder = f"{self.base}/dists/{self.suite}"
        by_hash = f"{folder}/{file.path.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}"
        return Address(by_hash, self.route), Address(f"{folder}/{file.path}", self.route)


def _listed(text: str) -> dict[str, Listed]:
    fields = next(paragraphs(text), {})
    files = {}
    for line in fields.get("sha256", "").splitlines():
        words = line.split()
        if len(words) == 3 and re.match(r"[0-9a-f]{64}\Z", words[0]) and words[1].isdecimal():
            files[words[2]] = Listed(path=words[2], sha256=words[0], size=int(words[1]))
    return files


@frozen(kw_only=True)
class Releases:
    """Reads suites of the user's Debian archives.

    Args:
        files: Downloads.
        environment: The user's: gpgv is found through it.
        report: Told when a signature could not be checked.
    """

    files: PinnedFiles
    environment: Mapping[str, str]
    report: Reporter

    def release(self, archives: Archives, suite: str) -> Release:
        """The suite's Release file from the first archive that has it, its signature checked.

        An archive that does not answer, refuses, or answers with something else than a signed
        index (a portal's page) leads to the next archive. A wrong signature does not: whoever
        made it wants to be believed, and the next archive's index may be old.

        Raises:
            RecipeError: no suite can have this name.
            SourceError: no archive has it, or the user has none.
            VerificationError: the signature is wrong.
        """
        if not _SUITE.match(suite):
            msg = f"not the name of a Debian suite: {suite!r}"
            raise RecipeError(msg)
        if not archives.bases:
            raise no_archive()
        attempts = Attempts(f"Debian {suite}")
        pin = Pin(label=f"Debian {suite}", sha256="")
        for base in archives.bases:
            address = f"{base}/dists/{suite}/InRelease"
            try:
                with self.files.opened(
                    pin, [archives.address(address)], no_progress, hint=""
                ) as download:
                    data = download.file.read(_RELEASE_LIMIT)
            except SourceError as error:
                attempts.include(error)
                continue
            try:
                text = signed_text(data)
            except SourceError as error:
                attempts.add(address, error)
                continue
            self._verify(data, address, archives)
            return Release(base=base, suite=suite, text=text, route=archives.route)
        hint = "check the suite, or set RVBUILD_DEBIAN_MIRROR to an archive that has it"
        raise attempts.error(self.files.advice(pin, hint))

    def _verify(self, data: bytes, address: str, archives: Archives) -> None:
        gpgv = shutil.which("gpgv", path=self.environment.get("PATH"))
        keyrings = [path for path in archives.keyrings if path.is_file()]
        if gpgv is None or not keyrings:
            reason = "gpgv is not installed" if gpgv is None else "there is no archive keyring"
            self._unchecked(address, f"{reason} (packages gpgv, debian-archive-keyring)")
            return
        states = _gpgv(gpgv, keyrings, data)
        if "BADSIG" in states:
            msg = "the archive's index has a wrong signature"
            hint = "do not use this mirror; if its own key is missing, name it with signed-by"
            raise VerificationError(msg, where=shown(address), hint=hint)
        if "GOODSIG" not in states:
            self._unchecked(address, "no key for it here (update debian-archive-keyring)")

    def _unchecked(self, address: str, why: str) -> None:
        text = f"the signature of {shown(address)} was not checked: {why}"
        self.report(Noticed("Debian", text))

    def packages(self, release: Release, arch: str) -> bytes:
        """The suite's Packages file, checked by the Release file's hash."""
        index = release.packages(arch)
        pin = Pin(label=f"Debian {release.suite} packages", sha256=index.sha256, size=index.size)
        with self.files.opened(pin, release.addresses(index), no_progress) as download:
            return _decompressed(download.file, index.path)


_SIGNED = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z-]+: .*\n)*\r?\n"
    rb"((?:(?!-).*\n|- .*\n)*)"
    rb"-----BEGIN PGP SIGNATURE-----\r?\n(?:(?!-).*\n)*-----END PGP SIGNATURE-----\s*\Z"
)


def signed_text(data: bytes) -> str:
    """The text of a clear-signed message (RFC 9580, section 7), unverified.

    Raises:
        SourceError: it is anything but one such message: nothing may stand around it.
    """
    message = _SIGNED.match(data)
    if message is None:
        msg = "not a signed index of a Debian archive"
        raise SourceError(msg)
    return re.sub(rb"^- ", b"", message[1], flags=re.MULTILINE).decode(errors="replace")


def _gpgv(program: str, keyrings: list[Path], data: bytes) -> set[str]:
    """What gpgv says of the message's signatures."""
    rings = [part for path in keyrings for part in ("--keyring", str(path))]
    process = subprocess.run(  # noqa: S603 - no shell, fixed arguments; the data comes by stdin
        [program, "--status-fd", "1", *rings, "-"], input=data, capture_output=True, check=False
    )
    words = re.findall(rb"^\[GNUPG:\] (\w+)", process.stdout, re.MULTILINE)
    return {word.decode() for word in words}


def _decompressed(file: BinaryIO, path: str) -> bytes:
    """The content of a compressed index.

    Raises:
        VerificationError: damaged, or far larger than any index.
    """
    meter = Meter(path, UnpackLimits(total=_INDEX_LIMIT))
    return b"".join(decompressed(ByteStream(file, path), meter))
