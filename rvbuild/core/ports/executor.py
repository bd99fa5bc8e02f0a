"""Where actions run.

Knows: actions and their outcomes. Must not know: sandboxes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from rvbuild.core.action import Action, Outcome


class Executor(Protocol):
    """Runs one action sealed, and captures its outputs into the store."""

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        """Run it; a step's own failure is an Outcome, not an exception.

        Args:
            action: What to run.
            label: For messages.
            log: Takes each line that the step writes.
            accelerators: Folders of this machine by path in the sandbox (``tmp/go-cache``);
                the outcome says whether they could be used.

        Raises:
            SandboxError: this machine cannot run it.
            StoreError: an input is not in the store, or the store could not take the output.
            Interrupted: ``stop`` was called.
        """
        ...

    def stop(self) -> None:
        """Kill everything that runs; nothing runs afterwards."""
        ...
