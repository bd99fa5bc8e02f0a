"""The mark of a cache, which says in which version its layout is.

Knows: what the mark says. Must not know: how it is read or written.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import BinaryIO

from attrs import define, field, frozen

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.names import MARK, MARK_TEXT, TEMPORARY, check_name, is_temporary
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheError, CacheRefused
from rvbuild.core.ports.cache import Cache, CollectableCache
from rvbuild.core.printable import brief
from rvbuild.core.web_page import is_web_page


@define
class _Seen:
    """Whether the mark was seen by this process."""

    lock: threading.Lock = field(factory=threading.Lock)
    is_right: bool = False


@frozen
class MarkedCache(CacheDecorator):
    """A cache into which nothing is written, or removed from, before it has the right mark.

    Rules:

    1. The first write reads the mark. Where there is none, and nothing else, it writes it. Where
       there is something else, it refuses: somebody's folder is no cache.
    2. What does not count: at the top, what is hidden and ``lost+found``; the mark that somebody
       else is just writing. A server without lists does not say what is there.
    3. A mark of another version is refused: a newer rvbuild has its own names there.
    4. Nothing is removed where there is no mark.
    5. Who only reads does not look: each record says itself what it is.

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
        self._check_mark(make=False)
        self.inner.remove(name)

    def _check_mark(self, *, make: bool = True) -> None:
        """See that the cache has the mark; ``make`` writes it where nothing is.

        Raises:
            CacheRefused: it has another one, or there is something else.
        """
        with self._seen.lock:
            if not self._seen.is_right:
                if not make:
                    require_mark(self.inner, self.address)
                elif not has_mark(self.inner, self.address):
                    self._begin()
                self._seen.is_right = True

    def _begin(self) -> None:
        """Write the mark, if nothing else is there."""
        stranger = _first_stranger(self.inner)
        if stranger is None:
            self.inner.write_record(MARK, MARK_TEXT)
        elif not has_mark(self.inner, self.address):  # nor did somebody else begin meanwhile
            raise _no_cache(self.address, stranger)


def has_mark(cache: Cache, address: str) -> bool:
    """Whether a cache has its mark.

    Raises:
        CacheError: it has another one, or does not answer.
    """
    mark = cache.record(MARK)
    if mark not in {None, MARK_TEXT}:
        raise _other_mark(mark or b"", address)
    return mark is not None


def require_mark(cache: CollectableCache, address: str) -> None:
    """See that a cache is one.

    Raises:
        CacheError: it has no mark, or another one, or does not answer.
    """
    if not has_mark(cache, address):
        stranger = None
        with suppress(CacheError):  # that it has no mark is known
            stranger = _first_stranger(cache)
        raise _no_cache(address, stranger)


def _first_stranger(cache: CollectableCache) -> str | None:
    """The path of something in what has no mark; None if nothing is, or nobody can list.

    The second rule of `MarkedCache` says what does not count.

    Raises:
        CacheDown: it does not answer.
    """
    with suppress(CacheRefused):
        for entry in cache.entries(""):
            if not is_temporary(entry.name):
                return entry.name
    with suppress(CacheRefused):
        for path in cache.strangers(""):
            if path != TEMPORARY:
                return path
    return None


def _no_cache(address: str, stranger: str | None) -> CacheRefused:
    """The refusal of what has no mark, in which something is, or perhaps nothing."""
    msg = f"this is no cache: it has no file {MARK}"
    hint = "correct the address, and see that its disk is mounted; the first push makes a cache"
    if stranger is not None:
        msg += f", and is not empty: {brief(stranger)}"
        hint = "correct the address, or give an empty folder or prefix, which a push makes a cache"
    return CacheRefused(msg, where=address, hint=hint)


def web_page(address: str) -> CacheRefused:
    """The refusal of who answers with a web page where a file of a cache must be."""
    msg = "this is a web page, not a cache"
    hint = "correct the address; a login page or a proxy may answer in the cache's place"
    return CacheRefused(msg, where=address, hint=hint)


def _other_mark(mark: bytes, address: str) -> CacheRefused:
    text = brief(mark.decode("utf-8", "replace").strip(), most=20)
    if is_web_page(mark):
        return web_page(address)
    if text.isdecimal():
        msg = f"its layout is of another version: {MARK} says {text!r}"
        hint = "use the rvbuild that wrote it, or another folder or prefix"
    else:
        msg = f"this is no cache: {MARK} says {text!r}"
        hint = "correct the address, or give another folder or prefix"
    return CacheRefused(msg, where=address, hint=hint)
