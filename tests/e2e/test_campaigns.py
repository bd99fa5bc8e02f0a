"""A short share of each campaign of ``tests/long/campaigns``: the real program, disturbed.

``tests/long/README.md`` says what each tries; these take seconds, and another seed is as good.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "long/campaigns"
pytestmark = pytest.mark.privileged


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    """A campaign makes the rest of the disk read-only; where it cannot, it does not run."""
    words = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "true"]
    if not os.environ.get("CI") and subprocess.run(words, check=False).returncode:
        pytest.skip("no mount namespaces")


def done(name: str, *words: str) -> tuple[int, list[str]]:
    """How many trials of a campaign there were, and its lines; none failed."""
    command = [sys.executable, FOLDER / f"{name}.py", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    *lines, last = ran.stdout.splitlines()
    found = re.fullmatch(r"[a-z-]+: (\d+) tried, 0 failed \(.*\)", last)
    assert found, last
    return int(found[1]), lines


def test_killed_at_random_calls_it_loses_nothing_and_a_seed_repeats_it():
    tried, lines = done("kills", "--count", "3", "-v")
    assert tried == 3
    _, again = done("kills", "--only", "2", "-v")
    assert again == lines[2:]


def test_an_update_that_ends_anywhere_does_all_or_nothing():
    assert done("updates", "--count", "8")[0] == 8


def test_a_call_that_fails_is_told_and_does_no_harm():
    assert done("failing_calls", "--inside-python", "--count", "5")[0] == 5


def test_rot_is_found_named_and_mended():
    assert done("bit_rot", "--count", "6")[0] == 6


def test_many_processes_use_one_store_while_it_is_collected():
    assert done("crowd", "--count", "10", "--processes", "4")[0] == 40


@pytest.mark.parametrize("number", ["1", "12"])
def test_a_bomb_is_refused_early(number: str):
    assert done("bombs", "--only", number)[0] == 1


def test_after_a_power_cut_what_was_registered_is_there():
    able = os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None
    if not os.environ.get("CI") and not able:
        pytest.skip("only root can mount a file system from a file")
    assert done("power_cuts", "--count", "2", "--systems", "ext4")[0] == 2


@pytest.mark.parametrize(("content", "bad"), [(b"as its name says", 0), (b"something else", 1)])
def test_what_judges_a_store_tells_good_from_bad(tmp_path: Path, content: bytes, bad: int):
    script = (
        "import sys; from pathlib import Path; from judge import bad_objects;"
        "print(len(bad_objects(Path(sys.argv[1]))))"
    )
    name = hashlib.sha256(b"as its name says").hexdigest()
    blob = tmp_path / "cas" / name[:2] / name
    blob.parent.mkdir(parents=True)
    blob.write_bytes(content)
    command = [sys.executable, "-c", script, tmp_path]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{bad}\n"
