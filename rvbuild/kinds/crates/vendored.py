"""A ``.crate`` file as a folder of a directory source, as ``cargo vendor`` makes it.

Knows: what such a folder has, and its ``.cargo-checksum.json``. Must not know: archives, where
crates are from.
Format: https://doc.rust-lang.org/cargo/reference/source-replacement.html#directory-sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from attrs import define, field

from rvbuild.core.errors import WrongContent
from rvbuild.core.ports.sink import TreeSink
from rvbuild.kinds.crates.crate_file import unpack_crate
from rvbuild.kinds.crates.source import VendoredCrate

CHECKSUMS = ".cargo-checksum.json"
_LEFT_OUT = {".git", ".gitattributes", ".gitignore", ".cargo-ok"}
"""Names of files that ``cargo vendor`` leaves out, wherever they are; and all below a ``.git``."""


def unpack_vendored(file: BinaryIO, crate: VendoredCrate, into: TreeSink) -> None:
    """Unpack a crate whose bytes are verified.

    Args:
        file: The ``.crate``, at its beginning.
        crate: What it is.
        into: Gets the folder ``NAME-VERSION``, with ``.cargo-checksum.json`` in it.

    Raises:
        VerificationError: damaged, something is in it that no crate has, or it has a
            ``.cargo-checksum.json`` of its own. That one would have the place of the one that is
            made here (of a file, ``cargo vendor`` lists the old hash, and cargo refuses it).
    """
    folder = _VendoredFolder(into, crate)
    unpack_crate(file, crate, folder)
    text = checksum_file(folder.hashes, crate.sha256)
    into.file(f"{crate.top}/{CHECKSUMS}", [text])


def checksum_file(hashes: Mapping[str, str], sha256: str) -> bytes:
    """``.cargo-checksum.json``: byte for byte as cargo (serde_json) writes it.

    Args:
        hashes: The SHA-256 of each file, in hex, by its name in the crate's folder.
        sha256: The crate's own.
    """
    content = {"files": dict(sorted(hashes.items())), "package": sha256}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


@define
class _VendoredFolder:
    """A sink that puts a crate's content into its folder, and keeps the hash of each file."""

    _into: TreeSink
    _crate: VendoredCrate
    hashes: dict[str, str] = field(factory=dict, init=False)

    def _outer(self, path: str) -> str:
        """The path with the crate's folder before it."""
        if path.partition("/")[0] == CHECKSUMS:
            msg = f"the crate holds {CHECKSUMS} itself, which only a directory source has"
            hint = "cargo refuses it there, too: use another version of the crate"
            raise WrongContent(msg, where=self._crate.label, hint=hint)
        return f"{self._crate.top}/{path}"

    def directory(self, path: str) -> None:
        self._into.directory(self._outer(path))

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        outer = self._outer(path)
        if _is_left_out(path):
            return _hash(chunks)
        self.hashes[path] = self._into.file(outer, chunks, executable=executable)
        return self.hashes[path]

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
