"""Whether a `git fetch` gets on, by what it tells on standard error.

Knows: the words of git's progress. Must not know: processes, pipes.

A server's own messages (`remote: …`) come for as long as it likes. So they are not progress,
but for the numbers of its preparation, which must rise, and only for so long.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from attrs import define, field

Tell = Callable[[int], None]
"""Called with the bytes received so far."""

_PHASE = re.compile(rb"(remote: )?([A-Z][a-z]+ [a-z ]+): +(\d+)%?(?: \((\d+)/\d+\))?")
_RECEIVED = re.compile(rb", ([0-9.]+) (bytes|KiB|MiB|GiB)")
_UNITS = {b"bytes": 1, b"KiB": 1 << 10, b"MiB": 1 << 20, b"GiB": 1 << 30}
_LEAST_BYTES = 4096
_LEAST_OBJECTS = 64
_PREPARING = 10
_LONGEST = 4096


@define
class GitProgress:
    """What one fetch told so far.

    Attributes:
        stall: Seconds without progress after which it is given up. A server may prepare what
            it sends for ten times as long.
        tell: Told of the bytes that came.
        clock: Seconds that only grow.
    """

    stall: float
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    _line: bytes = field(default=b"", init=False)
    _reached: dict[tuple[bytes, bytes], int] = field(factory=dict, init=False)
    _got_on: float = field(init=False)
    _prepared: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._got_on = self._prepared = self.clock()

    def left(self) -> float:
        """Seconds until it is given up; none or fewer: now."""
        now = self.clock()
        still = self.stall - (now - max(self._got_on, self._prepared))
        return min(still, _PREPARING * self.stall - (now - self._got_on))

    def take(self, data: bytes) -> None:
        """More of what git wrote."""
        *lines, self._line = re.split(rb"[\r\n]", self._line + data)
        self._line = self._line[-_LONGEST:]
        for line in lines:
            self._read(line)

    def _read(self, line: bytes) -> None:
        phase = _PHASE.match(line)
        if phase is None:
            return
        remote, name, number, count = phase.groups()
        if remote:
            if self._rises(b"remote", name, int(number), 1):
                self._prepared = self.clock()
            return
        risen = self._rises(b"objects", name, int(count or number), _least_objects(name))
        received = _RECEIVED.search(line, phase.end())
        if received is not None:
            size = int(float(received[1]) * _UNITS[received[2]])
            self.tell(size)
            risen |= self._rises(b"bytes", name, size, _LEAST_BYTES)
        if risen:
            self._got_on = self.clock()

    def _rises(self, what: bytes, name: bytes, number: int, least: int) -> bool:
        """Whether a number is higher than it ever was, by at least so much."""
        if len(self._reached) > 100 or number < self._reached.get((what, name), 0) + least:
            return False
        self._reached[what, name] = number
        return True


def _least_objects(name: bytes) -> int:
    """How many more objects count as progress.

    A server can send objects one by one for ever, so of "Receiving objects" a number counts at a
    time. git does all other phases on this machine: there one is enough.
    """
    return _LEAST_OBJECTS if name == b"Receiving objects" else 1
