"""The derivations of a target's closure, into their pack and out of it.

Knows: how they lie there (docs/caches.md). Must not know: what a derivation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from rvbuild.caches.pack import PackReader, write_pack
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.statement import Pack

MOST = 1 << 28
"""Bytes that all derivations of a closure may have; K3s' have 0.6 MB."""


_LENGTH = 8
"""Bytes of the number before each derivation, which says how long it is; the lowest comes first."""


def write_derivations(derivations: Sequence[bytes], to: BinaryIO) -> Pack:
    """Write the pack of the canonical bytes of derivations.

    Raises:
        OSError: ``to`` could not be written.
    """
    parts = [len(data).to_bytes(_LENGTH, "little") + data for data in derivations]
    return Pack(write_pack(parts, sum(map(len, parts)), to), len(parts))


def read_derivations(chunks: Iterable[bytes], count: int) -> dict[str, bytes]:
    """The canonical bytes of derivations, by the SHA-256 that they really have.

    Args:
        chunks: The pack's own bytes.
        count: How many derivations there are in it.

    Raises:
        Malformed: the pack is damaged, holds more or fewer, or is too large.
    """
    reader, left = PackReader(chunks), MOST
    derivations = {}
    for _ in range(count):
        size = int.from_bytes(b"".join(reader.blob(_LENGTH)), "little")
        left -= size
        if left < 0:
            msg = f"derivations of more than {MOST} bytes"
            raise Malformed(msg)
        data = b"".join(reader.blob(size))
        derivations[Digest.of(data).hash] = data
    reader.finish()
    return derivations
