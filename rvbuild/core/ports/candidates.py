"""The port to what upstream has, and what of it may be taken without being asked for.

Knows: nothing of policies.
"""

from __future__ import annotations

from typing import Protocol


class Candidates(Protocol):
    """Chooses versions."""

    def newest(self, name: str, series: str) -> str | None:
        """The newest version that the policy of a recipe allows; None: it stays.

        Args:
            name: The recipe whose value it is, or ``RECIPE/SOURCE``.
            series: The series; empty where there is none.
        """
        ...
