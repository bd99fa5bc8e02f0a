"""Waits for a collection to end, where what it keeps from being done has to be done.

Knows: seconds. Must not know: what is done, how a collection is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rvbuild.caches.lease import VOID
from rvbuild.core.errors import CacheBusy
from rvbuild.core.ports.clock import Clock

LONGEST = 2 * VOID
"""Seconds of waiting: the lease of a collection that was killed is void by then, over HTTP, too."""

_BETWEEN = 2.0
"""Seconds between two tries."""


def after_collection(
    work: Callable[[], None],
    tell: Callable[[str], None],
    clock: Clock = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Do something, once no collection keeps it from being done.

    Args:
        work: What to do; it is begun again after each CacheBusy.
        tell: Told why it has to wait, at each try.
        clock: Seconds that only grow.
        pause: Waits for so many seconds.

    Raises:
        CacheBusy: somebody still collects after `LONGEST` seconds.
    """
    ends = clock() + LONGEST
    while True:
        try:
            return work()
        except CacheBusy as error:
            if clock() >= ends:
                raise
            tell(error.message)
        pause(_BETWEEN)
