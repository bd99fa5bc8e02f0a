"""How much of an output is taken, and for how long.

Knows: the limits, and whether anybody still wants it. Must not know: how it is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field

from rvbuild.core.errors import StepError
from rvbuild.executors.limits import Limits


@define
class Allowance:
    """Counts what is taken of one output; calling it is ``core.ports.Taken``.

    Attributes:
        limits: Of entries and bytes.
        seconds: The step's time limit: it holds once more for the taking.
        wanted: Raises, if nobody wants the output any more.
    """

    limits: Limits
    seconds: float
    wanted: Callable[[], None]
    entries: int = field(default=0, init=False)
    size: int = field(default=0, init=False)
    _deadline: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds

    def __call__(self, entries: int, size: int) -> None:
        """Take note of what was taken.

        Raises:
            Interrupted: nobody wants it any more.
            StepError: it is more than an output may be.
        """
        self.wanted()
        self.entries += entries
        self.size += size
        if self.entries > self.limits.output_entries:
            _refuse(f"has more than {self.limits.output_entries:,} files and folders")
        if self.size > self.limits.output_bytes:
            _refuse(f"has more than {self.limits.output_bytes:,} bytes")
        if time.monotonic() > self._deadline:
            _refuse(f"could not be taken in within {self.seconds:,.0f} s, the step's time limit")


def _refuse(why: str) -> None:
    msg = f"the output {why}"
    raise StepError(msg, hint="leave in $out only what others need of the step")
