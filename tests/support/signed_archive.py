"""A small archive of Debian packages, signed by a key that a test makes.

The files of `openpgp/` were made with gpg, since the library makes neither: `weak.asc` is a message
signed with SHA-1, `ended.asc` one whose signature expired, `keys.asc` has the keys of both.
"""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from pathlib import Path

import zstandard
from attrs import define, field, frozen
from pysequoia import ArmorKind, Cert, SignatureMode, Tsk, armor, sign
from pysequoia.packet import PacketPile

from rvbuild.kinds.debian.archive_keys import ArchiveKeys
from rvbuild.kinds.debian.index_policy import IndexPolicy
from rvbuild.kinds.debian.signatures import Keys

OPENPGP = Path(__file__).parent / "openpgp"
YEAR = 365 * 86400
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
"""The time in tests: after every signature that they make, which have the machine's time."""


@frozen
class Signer:
    """Somebody with a key."""

    secret: Tsk = field(
        factory=lambda: Tsk.generate("a tester <tester@test.invalid>", validity_seconds=3 * YEAR)
    )

    @property
    def cert(self) -> Cert:
        return self.secret.extract_certificate()

    @property
    def keyring(self) -> bytes:
        """The public key, armored."""
        return str(self.cert).encode()

    @property
    def keys(self) -> Keys:
        return Keys.read(self.keyring)

    def clear(self, text: str) -> bytes:
        """A clear-signed message."""
        return self._sign(text, SignatureMode.CLEAR)

    def apart(self, text: str) -> bytes:
        """A signature without the text."""
        return self._sign(text, SignatureMode.DETACHED)

    def _sign(self, text: str, mode: SignatureMode) -> bytes:
        return sign(self.secret.signer(), text.encode(), mode=mode)


def policy_of(signer: Signer, folder: Path, now: dt.datetime = NOW) -> IndexPolicy:
    """A machine that trusts one key; its keyring is put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ring = folder / "keyring.asc"
    ring.write_bytes(signer.keyring)
    return IndexPolicy(keys=ArchiveKeys([ring], installed=()), clock=lambda: now)


def together(*signatures: bytes) -> bytes:
    """Signatures in one file, as `Release.gpg` has them."""
    packets = (bytes(packet) for each in signatures for packet in PacketPile.from_bytes(each))
    return armor(b"".join(packets), ArmorKind.Signature).encode()


@frozen
class MadePackage:
    """A binary package with one file, ``share/NAME``, whose text is the package's name."""

    name: str
    needs: str = ""

    @property
    def pool(self) -> str:
        return f"pool/main/{self.name[0]}/{self.name}/{self.name}_1_amd64.deb"

    @property
    def data(self) -> bytes:
        to = io.BytesIO()
        with tarfile.open(fileobj=to, mode="w") as tar:
            info = tarfile.TarInfo(f"./share/{self.name}")
            info.size = len(self.name)
            tar.addfile(info, io.BytesIO(self.name.encode()))
        members = {"debian-binary": b"2.0\n", "control.tar": b"", "data.tar": to.getvalue()}
        out = b"!<arch>\n"
        for name, data in members.items():
            out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
            out += b"\n" * (len(data) % 2)
        return out

    @property
    def paragraph(self) -> str:
        """Its lines in a Packages file."""
        needs = f"Depends: {self.needs}\n" if self.needs else ""
        return (
            f"Package: {self.name}\nVersion: 1\nArchitecture: amd64\nFilename: {self.pool}\n{needs}"
            f"SHA256: {hashlib.sha256(self.data).hexdigest()}\nSize: {len(self.data)}\n"
        )


_FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    "": bytes,
}


@define
class SignedArchive:
    """An archive with one suite.

    Attributes:
        packages: Text of its Packages file, for amd64.
        pool: What is at other paths.
        suite: The suite's name.
        date: When the index was made.
        more: Further fields of the index.
        form: How the Packages file is compressed, by the end of its name.
        origin: Whose archive it is, as the index says.
    """

    packages: str = ""
    pool: Mapping[str, bytes] = field(factory=dict)
    suite: str = "bookworm"
    date: dt.datetime = NOW
    more: str = ""
    form: str = ".xz"
    origin: str = "Debian"

    @classmethod
    def of(cls, *packages: MadePackage, date: dt.datetime = NOW) -> SignedArchive:
        """An archive with these packages."""
        text = "\n".join(each.paragraph for each in packages)
        return cls(packages=text, pool={each.pool: each.data for each in packages}, date=date)

    @property
    def index(self) -> str:
        """What the index says."""
        data = self._compressed
        row = (
            f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages{self.form}"
        )
        date = format_datetime(self.date).replace("+0000", "UTC")
        origin = f"Origin: {self.origin}\n" if self.origin else ""
        names = f"{origin}Codename: {self.suite}\nDate: {date}\n"
        return f"{names}{self.more}SHA256:\n{row}\n"

    @property
    def _compressed(self) -> bytes:
        return _FORMS[self.form](self.packages.encode())

    def pages(self, in_release: bytes, base: str = "") -> dict[str, bytes]:
        """Its files by their path, with an ``InRelease``."""
        return self.files(base) | {f"{base}/dists/{self.suite}/InRelease": in_release}

    def files(self, base: str = "") -> dict[str, bytes]:
        """Its files by their path, without an index."""
        packages = f"{base}/dists/{self.suite}/main/binary-amd64/Packages{self.form}"
        pool = {f"{base}/{path}": data for path, data in self.pool.items()}
        return {packages: self._compressed, **pool}
