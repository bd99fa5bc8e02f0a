"""The bytes of an archive as they come in: looked at ahead, counted, never sought.

Knows: bytes and where they end. Must not know: formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn, Protocol

from rvbuild.core.errors import Malformed
from rvbuild.core.printable import brief

CHUNK = 256 << 10


class Readable(Protocol):
    """Anything with ``read``; it may give less than asked for, and gives nothing at the end."""

    def read(self, size: int, /) -> bytes: ...


def truncated(name: str, position: int, what: str) -> NoReturn:
    """Raise the error of bytes that end too early."""
    message = f"the archive is truncated: it ends at byte {position}, inside {what}"
    raise Malformed(message, where=name, hint="its end is missing where it comes from")


class ByteStream:
    """A stream that bytes can be given back to.

    ``taken`` is how many bytes were read and not given back.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._ahead = b""
        self.name = name
        self.taken = 0

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer at the end; they stay."""
        while len(self._ahead) < size:
            more = self._stream.read(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; nothing at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._stream.read(size)
        self.taken += len(data)
        return data

    def exactly(self, size: int, what: str) -> bytes:
        """``size`` bytes.

        Raises:
            VerificationError: there are fewer; ``what`` says of what.
        """
        data = self.read(size)
        while len(data) < size:
            more = self.read(size - len(data))
            if not more:
                truncated(self.name, self.taken, what)
            data += more
        return data

    def unread(self, data: bytes) -> None:
        """Give back what was read last."""
        self._ahead = data + self._ahead
        self.taken -= len(data)

    def chunks(self) -> Iterator[bytes]:
        """All that is left."""
        while chunk := self.read(CHUNK):
            yield chunk


class Flow:
    """Unpacked bytes, taken in the lengths that a format asks for.

    ``entry`` is what the bytes belong to, for messages. ``framed``: what they were packed in says
    where they end, so that an end is no cut.
    """

    def __init__(self, chunks: Iterable[bytes], name: str, *, framed: bool = False) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = 0
        self._before = 0
        self.name = name
        self.entry = ""
        self.framed = framed

    @property
    def position(self) -> int:
        """How many bytes were taken."""
        return self._before + self._at

    def _next(self) -> bool:
        """Go on to the next chunk; the present one is used up. False at the end."""
        self._before += self._at
        self._at = 0
        self._chunk = next(self._chunks, b"")
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._chunk = chunk
        return True

    def upto(self, size: int) -> bytes:
        """``size`` bytes, or fewer at the end."""
        end = self._at + size
        if end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            return data
        return b"".join(self._pieces(size))

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            if self._at == len(self._chunk) and not self._next():
                return
            piece = self._chunk[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """``size`` bytes.

        Raises:
            VerificationError: there are fewer.
        """
        data = self.upto(size)
        if len(data) != size:
            self.truncated()
        return data

    def pieces(self, size: int) -> Iterator[bytes]:
        """``size`` bytes in pieces as they come.

        Raises:
            VerificationError: there are fewer.
        """
        for piece in self._pieces(size):
            size -= len(piece)
            yield piece
        if size:
            self.truncated()

    def drain(self) -> None:
        """Read on to the end, so that what comes last (checksums) is looked at too."""
        while self._next():
            self._at = len(self._chunk)

    def truncated(self) -> NoReturn:
        """Raise the error of bytes that end here, too early.

        Raises:
            VerificationError: always.
        """
        what = f"entry {brief(self.entry)}" if self.entry else "a header"
        truncated(self.name, self.position, what)
