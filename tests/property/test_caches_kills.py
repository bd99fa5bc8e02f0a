"""No kill of a push, a pull or a collection leaves a record without what it names.

``tests/support/cache_kills.py`` says what is tried; ``RVBUILD_KILLS=100`` tries more, and
``RVBUILD_KILLS_SEED`` is the seed of a failure that it printed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIALS = int(os.environ.get("RVBUILD_KILLS", "6"))
SEED = os.environ.get("RVBUILD_KILLS_SEED", str(random.SystemRandom().randrange(10**6)))
IN_MEMORY = "/dev/shm"  # noqa: S108 - a kill loses nothing that was written, so speed is all


@pytest.fixture
def folder() -> Iterator[Path]:
    above = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=above) as path:
        yield Path(path)


def tried(folder: Path, *words: str, count: int = TRIALS) -> tuple[int, str]:
    """The exit code of so many trials, and what was printed."""
    script = ROOT / "tests/support/cache_kills.py"
    command = [sys.executable, script, folder, "--seed", SEED, "--count", str(count), *words]
    path = os.pathsep.join([str(ROOT), str(script.parent)])
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    sys.stdout.write(ran.stdout)
    return ran.returncode, ran.stdout + ran.stderr[-3000:]


@pytest.mark.parametrize("words", [[], ["--http"]], ids=["directory", "http"])
def test_killed_at_any_moment_no_record_lacks_its_packs(folder: Path, words: list[str]):
    programs = f"{os.environ['PATH']}:/usr/sbin"
    if words and "CI" not in os.environ and not shutil.which("nginx", path=programs):
        pytest.skip("nginx is missing: install nginx-light")
    code, text = tried(folder, *words)
    assert code == 0, text
    found = re.search(r"(\d+) trials, (\d+) kills .* (\d+) records", text)
    assert found, text
    trials, kills, looks = map(int, found.groups())
    assert (trials, kills > 0, looks > 0) == (TRIALS, True, True)


@pytest.mark.parametrize(("twin", "count"), [("records-first", 20), ("no-leases", 400)])
def test_a_push_with_a_fault_is_seen(folder: Path, twin: str, count: int):
    if count > 20 and TRIALS < 100:
        pytest.skip("takes a minute: set RVBUILD_KILLS=100")
    code, text = tried(folder, "--twin", twin, count=count)
    assert (code, "FAILED" in text) == (1, True), text
