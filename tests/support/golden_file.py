"""Files with what a person or a program reads, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest


def refuse_difference(request: pytest.FixtureRequest, path: Path, text: str) -> None:
    """See that a golden file has ``text``; ``pytest tests/golden --regenerate`` writes it."""
    if request.config.getoption("--regenerate"):
        path.write_text(text)
    assert text == path.read_text()
