"""How much of an object came, and its SHA-256 so far.

Knows: sizes, SHA-256. Must not know: caches.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from attrs import define, field

from rvbuild.core.digest import Digest

if TYPE_CHECKING:
    from hashlib import _Hash


@define
class Arrival:
    """An object that arrives, of one cache or of several, one after another.

    Attributes:
        item: The object.
        size: Bytes that came.
    """

    item: Digest
    size: int = field(default=0, init=False)
    _running: _Hash = field(factory=hashlib.sha256, init=False, repr=False)

    def add(self, piece: bytes) -> None:
        """Say that a piece came, which follows what came before."""
        self.size += len(piece)
        self._running.update(piece)

    @property
    def is_right(self) -> bool:
        """Whether what came has the SHA-256 of the object."""
        return self._running.hexdigest() == self.item.hash
