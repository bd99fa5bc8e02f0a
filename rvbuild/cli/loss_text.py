"""Says why a result that others offered was not taken.

Knows: words. Must not know: where they are shown.
"""

from __future__ import annotations

from rvbuild.cli.messages import duration_text
from rvbuild.core.loss import Loss, TooSlow


def loss_text(loss: Loss) -> str:
    """One line: ``fetching it would take 5 min 50 s more; making it took 20.0 s``."""
    if isinstance(loss, TooSlow):
        make = duration_text(loss.make)
        return f"fetching it would take {duration_text(loss.fetch)} more; making it took {make}"
    others = [each for each in loss.answers if each.partition(": ")[2] not in loss.message]
    return loss.message + (f" ({'; '.join(others)})" if others else "")
