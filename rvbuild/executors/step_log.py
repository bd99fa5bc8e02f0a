"""The log of one step: kept whole up to a limit, and told line by line.

Knows: bytes and lines. Must not know: where they come from, how they are drawn.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

LONGEST_LINE = 16384
"""Characters; what is longer is told in pieces (the kept bytes stay as they were)."""


class StepLog:
    """Takes what a step writes.

    Args:
        tell: Called with each line, without its newline; undecodable bytes are U+FFFD.
        limit: How many bytes are kept.
    """

    def __init__(self, tell: Callable[[str], None], limit: int) -> None:
        self._tell = tell
        self._left = limit
        self._chunks: list[bytes] = []
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._open_line = ""

    def feed(self, chunk: bytes) -> bool:
        """Keep and tell ``chunk``; False if it went over the limit."""
        kept = chunk[: self._left]
        self._left -= len(kept)
        self._take(kept)
        return len(kept) == len(chunk)

    def note(self, text: str) -> None:
        """Add a line of our own: why the step was stopped. Not subject to the limit."""
        gap = "\n" if self._open_line else ""
        self._take(f"{gap}rvbuild: {text}\n".encode())

    def close(self) -> bytes:
        """Tell the last line if it is open; all that was kept."""
        last = self._open_line + self._decode(b"", final=True)
        if last:
            self._tell(last)
        self._open_line = ""
        return b"".join(self._chunks)

    def _take(self, data: bytes) -> None:
        self._chunks.append(data)
        *lines, self._open_line = (self._open_line + self._decode(data)).split("\n")
        for line in lines:
            self._tell(line)
        while len(self._open_line) > LONGEST_LINE:
            self._tell(self._open_line[:LONGEST_LINE])
            self._open_line = self._open_line[LONGEST_LINE:]
