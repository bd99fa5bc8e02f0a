"""What long work is called back with.

Knows: how much is done, and whether anybody wants it. Must not know: who listens.
"""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int, int], None]
"""Called with (bytes done, bytes in total or 0)."""


def no_progress(_done: int, _total: int) -> None:
    """An ``Advance`` for work whose progress is not shown."""


Taken = Callable[[int, int], None]
"""Called with (entries, bytes) taken since the last call, for each entry and each MiB at
least; may raise, to end the taking."""


Wanted = Callable[[], None]
"""Called often during long work; raises if nobody wants what comes of it any more."""
