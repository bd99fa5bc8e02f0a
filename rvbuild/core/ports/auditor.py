"""Looks at outputs that are images.

Knows: rules and findings. Must not know: formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rvbuild.core.derivation import OutputRule
from rvbuild.core.finding import Finding
from rvbuild.core.ports.callbacks import Wanted


class ImageAudit(Protocol):
    """Everything wrong with the images of a folder or an archive."""

    def __call__(
        self, rule: OutputRule, place: str, forbidden: Sequence[bytes], wanted: Wanted, /
    ) -> Sequence[Finding]:
        """Look; ``wanted`` is called before each part that is read."""
        ...
