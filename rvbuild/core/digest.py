"""A digest: the SHA-256 and size of plain bytes, as in the Remote Execution API.

Knows: hashing of bytes in memory. Must not know: files, stores, encodings.
"""

from __future__ import annotations

import hashlib
import re

from attrs import field, frozen

_HEX = re.compile(r"[0-9a-f]{64}\Z")


def _is_sha256(_: object, __: object, value: str) -> None:
    if not _HEX.match(value):
        msg = f"not a SHA-256 in lower-case hex: {value!r}"
        raise ValueError(msg)


def _is_size(_: object, __: object, value: int) -> None:
    if value < 0:
        msg = f"negative size: {value}"
        raise ValueError(msg)


@frozen(order=True)
class Digest:
    """SHA-256 (64 hex digits) and size in bytes."""

    hash: str = field(validator=_is_sha256)
    size: int = field(validator=_is_size)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of ``data``."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``HASH/SIZE``.

        Raises:
            ValueError: ``text`` has another form.
        """
        name, slash, size = text.partition("/")
        if not slash or not size.isdecimal():
            msg = f"not of the form HASH/SIZE: {text!r}"
            raise ValueError(msg)
        return cls(name, int(size))

    def __str__(self) -> str:
        return f"{self.hash}/{self.size}"


EMPTY = Digest.of(b"")
