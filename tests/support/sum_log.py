"""A checksum database of Go modules, in the form in which servers have it: pages by path."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from attrs import define, field

from rvbuild.core.gomod import escape_path
from rvbuild.core.transparent_log import Tile, record_hash
from rvbuild.trust.ed25519 import public_bytes, sign_bytes

NAME = "sums.example.org"
SEED = bytes(range(32))


def key_of(seed: bytes = SEED, name: str = NAME) -> str:
    """The public key, as GOSUMDB has it."""
    raw = b"\1" + public_bytes(seed)
    return f"{name}+{_id(name, raw).hex()}+{base64.b64encode(raw).decode()}"


def _id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def signed(text: str, seed: bytes = SEED, name: str = NAME) -> str:
    """A note with one signature."""
    raw = b"\1" + public_bytes(seed)
    signature = base64.b64encode(_id(name, raw) + sign_bytes(seed, text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n"


@define
class SumLog:
    """A log; ``records`` are texts of lines of go.sum, each of one module."""

    records: list[str] = field(factory=list)

    def root(self, low: int = 0, high: int | None = None) -> bytes:
        """The hash of some records, by the definition (RFC 6962, 2.1)."""
        high = len(self.records) if high is None else high
        if high - low == 1:
            return record_hash(self.records[low].encode())
        split = 1
        while split * 2 < high - low:
            split *= 2
        left, right = self.root(low, low + split), self.root(low + split, high)
        return hashlib.sha256(b"\1" + left + right).digest()

    def head(self, size: int | None = None) -> str:
        """What is signed of the log."""
        size = len(self.records) if size is None else size
        root = base64.b64encode(self.root(0, size)).decode()
        return f"go.sum database tree\n{size}\n{root}\n"

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile, each of 256 to the power of its level records."""
        step = 256**tile.level
        first = tile.number * 256
        return b"".join(
            self.root(at * step, (at + 1) * step) for at in range(first, first + tile.width)
        )

    def tiles(self) -> Iterable[Tile]:
        """Each tile that there is."""
        level, count = 0, len(self.records)
        while count:
            for number in range(-(-count // 256)):
                yield Tile(level, number, min(256, count - number * 256))
            level, count = level + 1, count // 256

    def pages(self, place: str, seed: bytes = SEED) -> dict[str, bytes]:
        """What a server has below ``place``: each module's record, and the tiles."""
        pages = {f"{place}/supported": b""}
        pages |= {f"{place}/{tile.path}": self.tile(tile) for tile in self.tiles()}
        note = signed(self.head(), seed)
        for number, record in enumerate(self.records):
            path, version, *_ = record.split()
            version = version.removesuffix("/go.mod")
            pages[f"{place}/lookup/{escape_path(path)}@{version}"] = (
                f"{number}\n{record}\n{note}".encode()
            )
        return pages
