"""Which log a failed step left: the only trace of a failure in the store.

Knows: where it is noted. Must not know: what failed, or why.
"""

from __future__ import annotations

import os

from rvbuild.core.digest import Digest
from rvbuild.stores.layout import Layout, guarded, rename

FAILED = "failed"


class LocalFailures:
    """The failures of the store at ``layout``; ``core.ports.Failures``.

    Not durable on purpose: a failure that is forgotten in a crash costs a log, no more.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def failed(self, derivation: str) -> Digest | None:
        """The log of the derivation's last run, if that failed."""
        path = self._layout.record(FAILED, derivation, accelerated=False)
        try:
            with open(path, encoding="ascii") as file:
                return Digest.parse(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def record_failure(self, derivation: str, log: Digest) -> None:
        """Note the log of a run that failed."""
        mine = self._layout.temporary()
        path = self._layout.record(FAILED, derivation, accelerated=False)
        with guarded(path):
            with open(mine, "x", encoding="ascii") as file:
                file.write(str(log))
            rename(mine, path)

    def forget_failure(self, derivation: str) -> None:
        """The derivation has a result now."""
        path = self._layout.record(FAILED, derivation, accelerated=False)
        with guarded(path):
            try:
                os.unlink(path)
            except FileNotFoundError:
                return
