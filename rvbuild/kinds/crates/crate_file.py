"""A ``.crate`` file: one folder, ``NAME-VERSION``, with a manifest in it.

Knows: what cargo wants of such a file. Must not know: where crates are from, what is made of one.
Source: ``unpack_package`` of cargo's src/cargo/sources/registry/mod.rs, which refuses a path
outside of the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from attrs import define, field

from rvbuild.archives.unpack import unpack
from rvbuild.archives.unpack_limits import Links, UnpackLimits
from rvbuild.core.errors import Malformed
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import brief
from rvbuild.kinds.crates.source import Crate, VendoredCrate

MANIFEST = "Cargo.toml"
_LIMITS = UnpackLimits(total=512 << 20)  # cargo's own


def unpack_crate(file: BinaryIO, crate: Crate | VendoredCrate, into: TreeSink) -> None:
    """Unpack a crate whose bytes are verified.

    Args:
        file: The ``.crate``, at its beginning.
        crate: What it is.
        into: Gets what is in the folder ``NAME-VERSION``: ``Cargo.toml``, ``src/lib.rs``.

    Raises:
        VerificationError: damaged, or something is in it that no crate has.
    """
    folder = _CrateFolder(into, crate)
    unpack(file, crate.label, folder, limits=_LIMITS, links=Links.NONE)
    if not folder.manifest:
        msg = f"not a crate: there is no {crate.top}/{MANIFEST} in it"
        raise Malformed(msg, where=crate.label)


@define
class _CrateFolder:
    """A sink that passes on what is in a crate's own folder, and takes nothing else."""

    _into: TreeSink
    _crate: Crate | VendoredCrate
    manifest: bool = field(default=False, init=False)

    def _inner(self, path: str) -> str:
        """The path in the crate's folder; empty for the folder itself."""
        top, _, inner = path.partition("/")
        if top != self._crate.top:
            msg = f"not this crate: {brief(path)} is not in {self._crate.top}/"
            raise Malformed(msg, where=self._crate.label)
        return inner

    def directory(self, path: str) -> None:
        inner = self._inner(path)
        if inner:
            self._into.directory(inner)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        inner = self._inner(path)
        if not inner:
            msg = f"not a crate: {self._crate.top} is a file in it, not a folder"
            raise Malformed(msg, where=self._crate.label)
        self.manifest = self.manifest or inner == MANIFEST
        return self._into.file(inner, chunks, executable=executable)

    def symlink(self, path: str, target: str) -> None:
        """Never: the reader refuses links."""

    def copy(self, path: str, of: str) -> None:
        """Never: the reader refuses links."""
