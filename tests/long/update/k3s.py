"""Move K3s in the shipped recipes, as a person does, and compare with recipes changed by hand.

Run: ``python tests/long/update/k3s.py --store FOLDER [--mirror FROM=TO]… [--to COMMIT]…``

In copies of the project that hold 1.32 alone,

1. ``update k3s --to c5b158798 --series 1.35`` gives the recipes and the lock that they have where
   both series are written by hand, and locked,
2. ``update k3s@1.35 --to 463678586`` likewise; so does each further ``--to``,
3. the way back gives the bytes from before,

and without what nobody can derive nothing is written.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NEW, OTHER = "c5b1587989339683f95208ce26e07c3e1ada62c6", "463678586d0dbb3b7a80e90904a850dd4ae11231"
DAY = "2027-02-28"
RECIPE = "recipes/k3s-source/recipe.yaml"
ONE = re.compile(r'^  "1\.3[45]": .*\n', re.MULTILINE)
ENTRY = '  "1.35":\n    commit: {}\n    end-of-support: "' + DAY + '"\n'


class Trial:
    """Copies of the project in a folder, and the program that is run in them."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self._folder, self._options = folder, options

    def project(self, name: str, commit: str = "") -> Path:
        """A copy that has 1.32, and with a commit 1.35, locked."""
        project = self._folder / name
        (project / "rvbuild").parent.mkdir()
        (project / "rvbuild").symlink_to(ROOT / "rvbuild")
        shutil.copytree(ROOT / "recipes", project / "recipes")
        shutil.copy(ROOT / "rvbuild.lock", project)
        recipe = project / RECIPE
        head, key, rest = ONE.sub("", recipe.read_text()).partition("per-series:\n")
        recipe.write_text(head + key + (ENTRY.format(commit) if commit else "") + rest)
        (project / "recipes/series.yaml").write_text('default: ["1.32"]\n')
        self.run(project, "lock")
        return project

    def run(self, project: Path, *words: str, code: int = 0) -> str:
        """What the program prints; its own code is the project's, so that no lock is below."""
        command = [sys.executable, "-m", "rvbuild", *words, *self._options]
        environment = {**os.environ, "PYTHONPATH": str(project)}
        ran = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode != code:
            sys.exit(f"{words}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout + ran.stderr


def files(project: Path) -> dict[str, bytes]:
    """The bytes of recipes and lock."""
    paths = [project / "rvbuild.lock", *(project / "recipes").rglob("*")]
    return {str(each.relative_to(project)): each.read_bytes() for each in paths if each.is_file()}


def hold(condition: bool, what: str) -> None:  # noqa: FBT001 - what is asked
    """Print what holds, or end."""
    sys.stdout.write(f"{'ok  ' if condition else 'FAIL'} {what}\n")
    sys.stdout.flush()
    if not condition:
        sys.exit(1)


def main() -> None:
    """Try everything."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--store", required=True)
    parser.add_argument("--mirror", action="append", default=[])
    parser.add_argument("--to", action="append", default=[])
    given = parser.parse_args()
    mirrors = [word for each in given.mirror for word in ("--mirror", each)]
    with tempfile.TemporaryDirectory() as folder:
        _try(Trial(Path(folder), ["--store", given.store, *mirrors]), [OTHER, *given.to])


def _try(trial: Trial, commits: list[str]) -> None:
    project = trial.project("project")
    before = files(project)
    words = ("update", "k3s", "--to", NEW[:9], "--series", "1.35")
    said = trial.run(project, *words, code=2)
    hold("end-of-support" in said and files(project) == before, "what follows from nothing")
    trial.run(project, *words, "--set", f"end-of-support={DAY}")
    both = files(trial.project("both", NEW))
    hold(files(project) == both, "1.32, and 1.35 beside it")
    for commit in commits:
        trial.run(project, "update", "k3s@1.35", "--to", commit[:9])
        by_hand = files(trial.project(commit, commit))
        hold(files(project) == by_hand, f"1.35 at {commit[:9]}")
        trial.run(project, "update", "k3s@1.35", "--to", NEW[:9])
        hold(files(project) == both, f"back from {commit[:9]}")
    trial.run(project, "update", "k3s", "--series", "1.35", "--drop")
    hold(files(project) == before, "without 1.35 again")


if __name__ == "__main__":
    main()
