"""A store whose user is killed, whose disk is full, and that many use at once.

A sample of the points of ``tests/long/stores_faults.py``, which says what is tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "long/stores_faults.py"
IN_MEMORY = "/dev/shm"  # noqa: S108 - a kill loses nothing that was written, so speed is all


@pytest.fixture
def folder() -> Iterator[Path]:
    above = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=above) as path:
        yield Path(path, "faults")


def tried(mode: str, folder: Path, step: int) -> int:
    """How many points were tried; nothing was wrong at any of them."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
    done = subprocess.run(
        [sys.executable, SCRIPT, mode, folder, str(step)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.split()[-4])


def test_killed_at_any_call_nothing_is_wrong(folder: Path) -> None:
    assert tried("kill", folder, 23) > 300


def test_a_repair_killed_at_any_call_loses_nothing(folder: Path) -> None:
    assert tried("repair", folder, 5) > 30


def test_a_failing_call_is_told_and_leaves_nothing(folder: Path) -> None:
    assert tried("fail", folder, 61) >= 20


def test_many_processes_build_and_collect_in_one_store(folder: Path) -> None:
    assert tried("crowd", folder, 5) == 30


@pytest.mark.privileged
def test_a_full_disk_is_told_and_leaves_nothing(folder: Path) -> None:
    if (
        not os.environ.get("CI")
        and subprocess.run(["unshare", "-rm", "true"], check=False).returncode
    ):
        pytest.skip("cannot mount a small disk: no unprivileged user namespaces")
    assert tried("full", folder, 13) >= 8
