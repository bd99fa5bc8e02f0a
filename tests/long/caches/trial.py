"""What a long test saw: rows of what holds and what does not, and the exit code of both."""

from __future__ import annotations

import sys

from attrs import define


@define
class Trial:
    """Rows, printed as they come."""

    failed: int = 0

    def row(self, what: str, figure: str, *, holds: bool = True) -> None:
        self.failed += not holds
        sys.stdout.write(f"{'ok  ' if holds else 'FAIL'}  {what:48} {figure}\n")
        sys.stdout.flush()

    def end(self) -> int:
        """Say how many rows do not hold; the exit code."""
        sys.stdout.write(f"{self.failed} failed\n")
        return 1 if self.failed else 0
