"""Run tests of the project as a row of docs/safety.md: how many there were, how many failed.

Run: ``python tests/long/campaigns/run_tests.py NAME [--record FILE] [--samples N] WORD...``;
the words are pytest's. Variables of the environment that begin with ``RVBUILD_`` are recorded with
the command. A test that was skipped counts as failed: what could not be tried does not hold. Where
one test tries many samples, and says that it did, N is their number.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree as ET

from campaign import ROOT, commit


def main() -> int:
    """Run them, print the last line, keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("name")
    parser.add_argument("--record")
    parser.add_argument("--samples", type=int)
    given, words = parser.parse_known_args()
    name, record = given.name, given.record
    tests, failed = counted(words)
    tried = given.samples or tests
    sys.stdout.write(f"{name}: {tried} tried, {failed} failed (commit {commit()})\n")
    if record:
        line = {
            "campaign": name,
            "command": " ".join([*_settings(), "pytest", *words]),
            "tried": tried,
            "failed": failed,
            "kinds": {"tests": tests},
            "date": time.strftime("%Y-%m-%d"),
            "commit": commit(),
        }
        with Path(record).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
    return 1 if failed or not tests else 0


def _settings() -> list[str]:
    """The variables that say how much is tried."""
    names = sorted(name for name in os.environ if name.startswith("RVBUILD_"))
    return [f"{name}={os.environ[name]}" for name in names]


def counted(words: list[str]) -> tuple[int, int]:
    """How many tests there were, and how many did not pass."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "--junitxml", str(report), *words]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "CI": "1"}, check=False)
        suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest's own
    bad = ("failures", "errors", "skipped")
    tried = sum(int(suite.get("tests", 0)) for suite in suites)
    return tried, sum(int(suite.get(what, 0)) for suite in suites for what in bad)


if __name__ == "__main__":
    sys.exit(main())
