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
        self, name: str, waiting: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Alone among those that lock the same ``name``; waits.

        Args:
            name: What is locked.
            waiting: Called now and then with the name of whoever has it: ``process 4711 on board``.
                To raise ends the wait.
        """
        ...

    def shared(self) -> AbstractContextManager[None]:
        """Held for a whole build: nothing in the store goes away meanwhile."""
        ...
