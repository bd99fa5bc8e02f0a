"""Locks between processes.

Knows: names. Must not know: what is locked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Locks(Protocol):
    """Locks between processes and threads; a lock ends with the process that holds it."""

    def lock(
        self, name: str, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Alone among those that lock the same ``name``; waits.

        Args:
            name: What is locked.
            waiting: Called now and then while somebody else has it; to raise ends the wait.
        """
        ...

    def shared(self) -> AbstractContextManager[None]:
        """Held for a whole build: nothing in the store goes away meanwhile."""
        ...
