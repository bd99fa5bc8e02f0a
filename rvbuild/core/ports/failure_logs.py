"""What failed steps wrote.

Knows: logs by derivation. Must not know: why a step failed.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.digest import Digest


class FailureLogs(Protocol):
    """The logs of steps that failed, by derivation."""

    def failed(self, derivation: str) -> Digest | None: ...

    def record_failure(self, derivation: str, log: Digest) -> None: ...

    def forget_failure(self, derivation: str) -> None: ...
