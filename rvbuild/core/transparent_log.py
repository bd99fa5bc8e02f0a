"""A log that can only grow: what is in it is proved by hashes up to its root (RFC 6962).

Knows: how hashes make a tree, which tile has one, what a signed head looks like. Must not know:
what the records say, where tiles are, the library of signatures.
See golang.org/x/mod/sumdb/tlog and note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Self

from attrs import define, evolve, field, frozen

from rvbuild.core.errors import Untrusted

IsSignature = Callable[[bytes, bytes, bytes], bool]
"""Whether the owner of an ed25519 key (32 bytes) made a signature (64 bytes) over some bytes."""

_HEAD = "go.sum database tree"
_ED25519 = b"\x01"
_KEY_BYTES = 33
_ID_BYTES = 4
_MARK = "\u2014 "
_HEIGHT = 8
_WIDTH = 1 << _HEIGHT
_HASH_BYTES = 32
_MOST_DIGITS = 15


def record_hash(data: bytes) -> bytes:
    """The hash of a record of a log."""
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


@frozen
class LogKey:
    """The public key of a log: ``NAME+ID+KEY``.

    Attributes:
        name: Who signs.
        id: The first bytes of the hash of name and key.
        raw: The 32 bytes of an ed25519 key.
    """

    name: str
    id: bytes
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key.

        Raises:
            ValueError: it is none.
        """
        name, _, rest = text.partition("+")
        digits, _, encoded = rest.partition("+")
        key = base64.b64decode(encoded, validate=True)
        expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:_ID_BYTES]
        if not name or len(key) != _KEY_BYTES or key[:1] != _ED25519 or digits != expected.hex():
            msg = "is no key of a checksum database, NAME+ID+KEY"
            raise ValueError(msg)
        return cls(name, expected, key[1:])

    def signed_text(self, note: str, is_signature: IsSignature) -> str:
        """The text of a signed note.

        Raises:
            Untrusted: this key has not signed it.
        """
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        for line in signatures.splitlines():
            name, _, encoded = line.removeprefix(_MARK).partition(" ")
            raw = _decoded(encoded)
            is_own = line.startswith(_MARK) and (name, raw[:_ID_BYTES]) == (self.name, self.id)
            if is_own and is_signature(self.raw, raw[_ID_BYTES:], text.encode()):
                return text
        msg = f"it is not signed by the key of {self.name}"
        raise Untrusted(msg)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


@frozen
class LogHead:
    """What a log is at one time: how many records it has, and the root of their tree."""

    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a signed head.

        Raises:
            Untrusted: it is none.
        """
        lines = text.split("\n")
        is_head = len(lines) >= 3 and lines[0] == _HEAD and is_number(lines[1])
        root = _decoded(lines[2]) if is_head else b""
        if len(root) != _HASH_BYTES:
            msg = "what is signed is no head of a log"
            raise Untrusted(msg)
        return cls(int(lines[1]), root)


def is_number(text: str) -> bool:
    """Whether a text is a number of a record, or of how many there are."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


@frozen
class Tile:
    """256 hashes of one level of a log, or those that there are; ``level`` counts in tiles."""

    level: int
    number: int
    width: int

    @property
    def whole(self) -> Tile:
        """The same tile with all of its hashes."""
        return evolve(self, width=_WIDTH)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.width * _HASH_BYTES

    @property
    def path(self) -> str:
        """Where a server has it: ``tile/8/0/x001/234``, ``tile/8/1/067.p/12``."""
        digits = f"{self.number:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *first, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        number = "/".join([*(f"x{each}" for each in first), last])
        partial = "" if self.width == _WIDTH else f".p/{self.width}"
        return f"tile/{_HEIGHT}/{self.level}/{number}{partial}"


@define
class LogProof:
    """Sees whether a record is in a log.

    Attributes:
        head: What the log is.
        read: Returns the bytes of a tile.
    """

    head: LogHead
    read: Callable[[Tile], bytes]
    _tiles: dict[Tile, bytes] = field(factory=dict, init=False)

    def refuse_absent(self, number: int, data: bytes) -> None:
        """See that a record is in the log.

        Raises:
            Untrusted: it is not: the hashes do not lead to the root.
        """
        if (
            number >= self.head.size
            or self._with(number, data, 0, self.head.size) != self.head.root
        ):
            msg = f"the record {number} is not in the log that is signed"
            raise Untrusted(msg)

    def _with(self, number: int, data: bytes, low: int, high: int) -> bytes:
        """The hash of the records from ``low`` to ``high``, of which one is this."""
        if high - low == 1:
            return record_hash(data)
        middle = low + _split(high - low)
        if number < middle:
            return _node(self._with(number, data, low, middle), self._hash(middle, high))
        return _node(self._hash(low, middle), self._with(number, data, middle, high))

    def _hash(self, low: int, high: int) -> bytes:
        """The hash of the records from ``low`` to ``high``, as tiles have it."""
        count = high - low
        if count & (count - 1):
            middle = low + _split(count)
            return _node(self._hash(low, middle), self._hash(middle, high))
        level = count.bit_length() - 1
        above, below = divmod(level, _HEIGHT)
        first = low >> (above * _HEIGHT)
        tile = self._tile(above, first // _WIDTH)
        at = first % _WIDTH
        hashes = [
            tile[n * _HASH_BYTES : (n + 1) * _HASH_BYTES] for n in range(at, at + (1 << below))
        ]
        while len(hashes) > 1:
            pairs = zip(hashes[::2], hashes[1::2], strict=True)
            hashes = [_node(left, right) for left, right in pairs]
        return hashes[0]

    def _tile(self, level: int, number: int) -> bytes:
        width = min(_WIDTH, (self.head.size >> (level * _HEIGHT)) - number * _WIDTH)
        tile = Tile(level, number, width)
        if tile not in self._tiles:
            self._tiles[tile] = self.read(tile)
        return self._tiles[tile]


def _split(count: int) -> int:
    """The largest power of two below a number of records."""
    return 1 << ((count - 1).bit_length() - 1)
