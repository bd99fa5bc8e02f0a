"""A long test that tried nothing has not succeeded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from go_command import needs_go

TESTS = Path(__file__).parents[1]


@needs_go
@pytest.mark.parametrize("words", [["go/graphs.py"], ["lock_facts.py", "--lock", "small"]])
def test_nothing_tried_is_a_failure(words: list[str]):
    ran = subprocess.run(
        [sys.executable, str(TESTS / "long" / words[0]), *words[1:], "--count", "0"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS / "support")},
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "0" in ran.stdout
