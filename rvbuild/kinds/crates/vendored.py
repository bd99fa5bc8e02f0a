"""A ``.crate`` file as a folder of a directory source, as ``cargo vendor`` makes it.

Knows: what a ``.crate`` file holds, and cargo's ``.cargo-checksum.json``.
Must not know: where crates are from.
Format: https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from attrs import define, field

from rvbuild.archives.unpack import unpack
from rvbuild.archives.unpack_limits import Links, UnpackLimits
from rvbuild.core.errors import VerificationError
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import brief
from rvbuild.kinds.crates.source import VendoredCrate

CHECKSUMS = ".cargo-checksum.json"
_LEFT_OUT = {".git", ".gitattributes", ".gitignore", ".cargo-ok"}
"""Names of files that ``cargo vendor`` leaves out, wherever they are; and all below a ``.git``."""

LIMITS = UnpackLimits(total=512 << 20)  # cargo's own


def unpack_vendored(file: BinaryIO, crate: VendoredCrate, into: TreeSink) -> None:
    """Unpack a crate whose bytes are verified.

    Args:
        file: The ``.crate``, at its beginning.
        crate: What it is.
        into: Gets the folder ``NAME-VERSION``, with ``.cargo-checksum.json`` in it.

    Raises:
        VerificationError: damaged, or something is in it that no crate has.
    """
    folder = _CrateFolder(into, crate)
    unpack(file, crate.label, folder, limits=LIMITS, links=Links.NONE)
    if "Cargo.toml" not in folder.hashes:
        msg = f"not a crate: there is no {crate.top}/Cargo.toml in it"
        raise VerificationError(msg, where=crate.label)
    text = checksum_file(folder.hashes, crate.sha256)
    into.file(f"{crate.top}/{CHECKSUMS}", [text])


def checksum_file(hashes: Mapping[str, str], sha256: str) -> bytes:
    """``.cargo-checksum.json``: byte for byte as cargo (serde_json) writes it.

    Args:
        hashes: The SHA-256 of each file, in hex, by its name in the crate's folder.
        sha256: The crate's own.
    """
    found = {"files": dict(sorted(hashes.items())), "package": sha256}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


@define
class _CrateFolder:
    """A sink that takes what is in a crate's own folder, and keeps the hash of each file.

    A ``.cargo-checksum.json`` that somebody published is left out as well: it would have the
    place of the one that is made here.
    """

    _into: TreeSink
    _crate: VendoredCrate
    hashes: dict[str, str] = field(factory=dict, init=False)

    def _inner(self, path: str) -> str:
        """The path in the crate's folder."""
        top, _, inner = path.partition("/")
        if top != self._crate.top:
            msg = f"not this crate: {brief(path)} is not in {self._crate.top}/"
            raise VerificationError(msg, where=self._crate.label)
        return inner

    def directory(self, path: str) -> None:
        self._inner(path)
        self._into.directory(path)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        inner = self._inner(path)
        if inner == CHECKSUMS or _is_left_out(inner):
            return _hash(chunks)
        self.hashes[inner] = self._into.file(path, chunks, executable=executable)
        return self.hashes[inner]

    def symlink(self, path: str, target: str) -> None:
        """Never: the reader refuses links."""

    def copy(self, path: str, of: str) -> None:
        """Never: the reader refuses links."""


def _is_left_out(path: str) -> bool:
    *folders, name = path.split("/")
    return name in _LEFT_OUT or ".git" in folders


def _hash(chunks: Iterable[bytes]) -> str:
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()
