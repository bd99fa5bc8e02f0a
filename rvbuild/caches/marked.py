"""The mark of a cache, which says in which version its layout is.

Knows: what the mark says. Must not know: how it is read or written.
"""

from __future__ import annotations

import threading
from typing import BinaryIO

from attrs import define, field, frozen

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.names import MARK, MARK_TEXT, check_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheRefused
from rvbuild.core.printable import brief


@define
class _Seen:
    """Whether the mark was seen by this process."""

    lock: threading.Lock = field(factory=threading.Lock)
    is_right: bool = False


@frozen
class MarkedCache(CacheDecorator):
    """A cache into which nothing is written, or removed from, before it has the right mark.

    Rules:

    1. The first write reads the mark. Where there is none, it writes it.
    2. A mark of another version is refused: a newer rvbuild has its own names there.
    3. Who only reads does not look: each record says itself what it is.

    Attributes:
        inner: The cache.
        address: For messages.
    """

    address: str
    _seen: _Seen = field(factory=_Seen, init=False, repr=False, eq=False)

    def write(self, item: Digest, data: BinaryIO) -> None:
        self._check_mark()
        self.inner.write(item, data)

    def write_record(self, name: str, data: bytes) -> None:
        check_name(name)
        self._check_mark()
        self.inner.write_record(name, data)

    def remove(self, name: str) -> None:
        check_name(name)
        self._check_mark()
        self.inner.remove(name)

    def _check_mark(self) -> None:
        """See that the cache has the mark, or write it.

        Raises:
            CacheRefused: it has another one.
        """
        with self._seen.lock:
            if not self._seen.is_right:
                mark = self.inner.record(MARK)
                if mark is None:
                    self.inner.write_record(MARK, MARK_TEXT)
                elif mark != MARK_TEXT:
                    raise self._other(mark)
                self._seen.is_right = True

    def _other(self, mark: bytes) -> CacheRefused:
        text = brief(mark.decode("utf-8", "replace").strip(), most=20)
        msg = f"its layout is of another version: {MARK} says {text!r}"
        hint = "use the rvbuild that wrote it, or another folder or prefix"
        return CacheRefused(msg, where=self.address, hint=hint)
