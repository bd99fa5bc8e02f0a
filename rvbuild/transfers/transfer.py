"""One download: what has arrived, what to ask for next, and when to begin again.

Knows: status codes, ranges, validators and lengths. Must not know: sockets, retries, clocks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import BinaryIO

from attrs import frozen

from rvbuild.core.errors import SourceError, StoreError, VerificationError, WrongContent
from rvbuild.core.ports.callbacks import Advance
from rvbuild.transfers.urls import shown

DOCUMENT_LIMIT = 64 << 20
"""Bytes of a document that is read whole, unless its reader says otherwise."""
DOWNLOAD_LIMIT = 16 << 30

_NUMBER = r"[0-9]{1,19}"
_LENGTH = re.compile(_NUMBER)
_CONTENT_RANGE = re.compile(rf"bytes ({_NUMBER})-{_NUMBER}/({_NUMBER}|\*)")


class Again(Exception):
    """The attempt failed in a way that another one may not.

    Attributes:
        cause: Why it failed.
        wait: Seconds that the server asked for.
        stalled: Whether the server talked without getting on.
        late: Whether the wait for it ended, and not the connection.
        silent: The server that gave no answer at all: host and port, or a proxy.
        behind: The proxy that may be the silent one in its place; empty if there is none, or it
            answered.
        hint: What to do if it fails for good; empty if nobody knows more than usual.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, a value class in all but name
        self,
        cause: str,
        wait: float | None = None,
        *,
        stalled: bool = False,
        late: bool = False,
        silent: str = "",
        behind: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.wait = wait
        self.stalled = stalled
        self.late = late
        self.silent = silent
        self.behind = behind
        self.hint = hint


@frozen
class Received:
    """What came.

    Attributes:
        size: Bytes.
        sha256: In hex, if it was asked for (else ``""``).
        url: Where it came from in the end, without a user name: links in it are relative to that.
    """

    size: int
    sha256: str
    url: str = ""


class Transfer:
    """The state of one download into ``to``, which can seek if anything has to be repeated.

    ``done`` are the bytes that are there, ``restarts`` how often what was there was given up.

    Args:
        url: For messages.
        to: Written from its present position on.
        expect_size: The size that the lock has; anything else is a VerificationError.
        limit: No more than so many bytes are taken.
        hashed: Whether to compute the SHA-256 meanwhile.
        advance: Told of every piece.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, a value class in all but name
        self,
        url: str,
        to: BinaryIO,
        *,
        expect_size: int | None,
        limit: int,
        hashed: bool,
        advance: Advance,
    ) -> None:
        self._url = url
        self._to = to
        self._base = to.tell() if to.seekable() else 0
        self._expect = expect_size
        self._limit = limit
        self._hash = hashlib.sha256() if hashed else None
        self._advance = advance
        self._validator = ""
        self._total: int | None = None
        self.done = 0
        self.restarts = 0

    def request_headers(self) -> dict[str, str]:
        """``Range`` and ``If-Range`` once a part is there that can be continued."""
        if not self.done:
            return {}
        return {"Range": f"bytes={self.done}-", "If-Range": self._validator}

    def cut(self) -> None:
        """The connection ended early: keep what came, if the server can say it is unchanged."""
        if self.done and not self._validator:
            self._restart()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of a 200, 206 or 416 answer.

        Raises:
            Again: it does not continue what is there; the next attempt starts from nothing.
            VerificationError: it announces a size that is not the expected one.
            SourceError: it announces more than the limit.
        """
        if status == 206:
            self._continue(headers)
            return
        self._restart()
        if status == 416:
            msg = "the server has no such range"
            raise Again(msg)
        self._total = _length(headers)
        self._validator = _validator(headers)
        self._check_announced()

    def _continue(self, headers: Mapping[str, str]) -> None:
        span = content_range(headers)
        same = _validator(headers) in {"", self._validator}
        if (
            not self.done
            or span is None
            or span[0] != self.done
            or not same
            or (None not in {span[1], self._total} and span[1] != self._total)
        ):
            self._restart()
            msg = "the server continued something else"
            raise Again(msg)

    def _check_announced(self) -> None:
        total = self._total
        if total is None:
            return
        if self._expect is not None and total != self._expect:
            msg = f"the server has {total} bytes, {self._expect} were expected"
            raise self._wrong_size(msg)
        self._check_limit(total)

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            msg = f"more than {self._limit} bytes: refused"
            raise SourceError(msg, where=shown(self._url))

    def _wrong_size(self, message: str) -> VerificationError:
        hint = "the file was changed or truncated where it is kept; try another mirror"
        return WrongContent(message, where=shown(self._url), hint=hint)

    def take(self, data: bytes) -> None:
        """The next piece of the body."""
        size = self.done + len(data)
        if self._expect is not None and size > self._expect:
            msg = f"more than the expected {self._expect} bytes came"
            raise self._wrong_size(msg)
        self._check_limit(size)
        write_piece(data, self._to, self._url)
        if self._hash is not None:
            self._hash.update(data)
        self.done = size
        self._advance(size, self._total or self._expect or 0)

    def finish(self) -> Received:
        """The body ended as HTTP says it does.

        Raises:
            Again: it is shorter than announced.
            VerificationError: it is shorter than expected.
        """
        if self._total is not None and self.done < self._total:
            self.cut()
            msg = f"the answer ended {self._total - self.done} bytes early"
            raise Again(msg)
        if self._expect is not None and self.done != self._expect:
            msg = f"{self.done} bytes came, {self._expect} were expected"
            raise self._wrong_size(msg)
        return Received(self.done, self._hash.hexdigest() if self._hash else "")

    def _restart(self) -> None:
        if self.done:
            self.restarts += 1
            try:
                self._to.seek(self._base)
                self._to.truncate()
            except OSError as exc:
                raise _cannot_write(exc, self._url) from exc
            if self._hash is not None:
                self._hash = hashlib.sha256()
        self.done = 0
        self._total = None
        self._validator = ""


def write_piece(data: bytes, to: BinaryIO, url: str) -> None:
    """Keep a piece of what is at ``url``.

    Raises:
        StoreError: it could not be written: no other address would help.
    """
    try:
        to.write(data)
    except OSError as exc:
        raise _cannot_write(exc, url) from exc


def _cannot_write(exc: OSError, url: str) -> StoreError:
    return StoreError(f"cannot keep the download: {exc.strerror or exc}", where=shown(url))


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """Where the body of a 206 answer begins, and the size of the whole; None for neither.

    The size is None if the server does not know it.
    """
    span = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    return span and (int(span[1]), None if span[2] == "*" else int(span[2]))


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


def _validator(headers: Mapping[str, str]) -> str:
    """A strong ETag, else the date of the last change: what If-Range may carry (RFC 9110)."""
    etag = headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    return "" if etag else headers.get("last-modified", "")
