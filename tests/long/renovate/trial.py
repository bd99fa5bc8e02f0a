"""Let Renovate itself move the pins of a small project, on a forge of this machine.

Run: ``python tests/long/renovate/trial.py --programs FOLDER [--log FILE]``; see README.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen
from forge import Forge

ROOT = Path(__file__).resolve().parents[3]
PRESET = "docs/renovate/default.json"
URL = "https://example.org/family"
RECIPES = {
    "lib": """\
summary: a library
license: MIT
kind: source
version: "1.0.0"  # the tag's, without v
sources: {{lib: {{git: "{url}", tag: "v${{version}}"}}}}
""",
    "family-source": """\
summary: the family's source
license: MIT
kind: source
update: minor
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
per-series:
  "2": {{commit: {two}}}
  "1":
    release: v1.0.0
    commit: '{one}'
""",
    "compiler": """\
summary: what the family says that it is built with
kind: source
version: {{from: family-source, line: 1, file: COMPILER}}
sources: {{compiler: {{git: "{url}", tag: "v${{version}}", paths: [COMPILER]}}}}
""",
    "charts": """\
summary: charts, as they are at a commit
license: MIT
kind: source
update: patch
sources:
  charts:
    git: {url}
    commit: {one}
""",
    "app": """\
summary: a program of the family
license: MIT
kind: tool
version: {{from: family-source, line: 1, file: VERSION}}
sources: {{tree: {{from: family-source}}}}
build: cp /src/tree/VERSION $out/text
outputs: {{text: {{path: text}}}}
""",
}
RECIPES |= {
    "torn-source": RECIPES["lib"]
    .replace("  # the tag's", "\nupdate: patch  # the tag's")
    .replace("lib", "torn"),
    "torn": """\
summary: what is read in a file that the next patch has not
kind: tool
version: {{from: torn-source, line: 1, file: ONCE}}
sources: {{tree: {{from: torn-source}}}}
build: cp /src/tree/ONCE $out/text
outputs: {{text: {{path: text}}}}
""",
}
RECIPES["label"] = """\
summary: a version that is of no source
kind: tool
version: "7"
build: ": > $out/out"
outputs: {{out: {{path: out}}}}
"""
VERSIONS = ("1.0.0", "1.0.1", "1.1.0", "2.0.0", "2.0.1")
MOVES = {
    "lib/version": ("1.1.0", ["recipes/lib/recipe.yaml", "rvbuild.lock"]),
    "family-source/commit@1": ("v1.1.0", ["recipes/family-source/recipe.yaml", "rvbuild.lock"]),
    "family-source/commit@2": ("v2.0.1", ["recipes/family-source/recipe.yaml", "rvbuild.lock"]),
    "charts/charts": ("v1.0.1", ["recipes/charts/recipe.yaml", "rvbuild.lock"]),
}
"""What each pin is to move to, and the files that its branch changes."""

FAILING = "renovate/torn-source-version"

NOBODY = {
    f"GIT_{role}_{what}": "n@example.invalid"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


@frozen
class Trial:
    """A folder with upstream, project and bot, and what all of its programs have around them."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def at(cls, folder: Path, programs: Path) -> Trial:
        """Upstream with tags; a project that is locked, pushed, and checked out by the bot."""
        program = folder / "bin/rvbuild"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m rvbuild "$@"\n')
        program.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        path = f"{program.parent}:{programs}:{os.environ['PATH']}"
        trial = cls(folder, {**NOBODY, "HOME": str(home), "PATH": path, "TMPDIR": str(folder)})
        trial._begin(trial._upstream())
        return trial

    def run(self, place: str, *words: str, **more: str) -> str:
        """What a program prints."""
        ran = subprocess.run(
            words,
            cwd=self.folder / place,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ran.returncode:
            sys.exit(f"{words}: exit code {ran.returncode}\n{ran.stdout}")
        return ran.stdout

    def _upstream(self) -> dict[str, str]:
        """The commits of upstream's tags, by version."""
        upstream, commits = self.folder / "family", {}
        upstream.mkdir()
        self.run("family", "git", "init", "-q", "-b", "main")
        for version in VERSIONS:
            (upstream / "VERSION").write_text(f"{version}\n")
            (upstream / "COMPILER").write_text(f"{version}\n")
            (upstream / "ONCE").write_text("1\n") if version == "1.0.0" else (
                upstream / "ONCE"
            ).unlink(missing_ok=True)
            self.run("family", "git", "add", "-A")
            self.run("family", "git", "commit", "-qm", version)
            self.run("family", "git", "tag", f"v{version}")
            commits[version] = self.run("family", "git", "rev-parse", "HEAD").strip()
        return commits

    def _begin(self, commits: dict[str, str]) -> None:
        project = self.folder / "project"
        values = {"url": URL, "one": commits["1.0.0"], "two": commits["2.0.0"]}
        for name, text in RECIPES.items():
            (project / "recipes" / name).mkdir(parents=True)
            (project / "recipes" / name / "recipe.yaml").write_text(text.format(**values))
        (project / "recipes/series.yaml").write_text('default: ["2"]\n')
        (project / "rvbuild.lock").touch()
        (project / "rvbuild.toml").write_text(f'[mirrors]\n"{URL}" = "{self.folder}/family"\n')
        (project / "renovate.json").write_text(
            '{"extends": ["local>rvbuild/rvbuild//docs/renovate/default"]}\n'
        )
        self.run("project", "rvbuild", "lock", "-q")
        shutil.rmtree(project / "cache", ignore_errors=True)
        self._publish("project")
        preset = self.folder / "rvbuild" / PRESET
        preset.parent.mkdir(parents=True)
        shutil.copy(ROOT / PRESET, preset)
        self._publish("rvbuild")
        self.run(".", "git", "clone", "-q", "project.git", "checkout")

    def _publish(self, name: str) -> None:
        for words in ("init -q -b main", "add -A", "commit -qm one"):
            self.run(name, "git", *words.split())
        self.run(".", "git", "clone", "-q", "--bare", name, f"{name}.git")

    def bot(self, forge: Forge, log: Path) -> str:
        """Run Renovate in the checkout, as a job of CI does; its log is added to a file."""
        said = self.run(
            "checkout",
            "renovate",
            RENOVATE_PLATFORM="gitea",
            RENOVATE_ENDPOINT=forge.address,
            RENOVATE_TOKEN="none",  # noqa: S106 - this forge asks for none
            RENOVATE_GIT_URL="ssh",
            RENOVATE_REPOSITORIES="team/project",
            RENOVATE_CONFIG_FILE=str(ROOT / "docs/renovate/bot.cjs"),
            RENOVATE_BASE_DIR=str(self.folder / "base"),
            RENOVATE_PR_HOURLY_LIMIT="0",
            RENOVATE_FETCH_CHANGE_LOGS="off",
            LOG_LEVEL="debug",
        )
        with log.open("a") as file:
            file.write(said)
        return said

    def branches(self) -> dict[str, str]:
        """The commits of Renovate's branches."""
        words = ("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/renovate")
        lines = self.run("project.git", "git", *words).splitlines()
        return dict(line.split() for line in lines)


def hold(condition: object, what: str) -> None:
    """Print what holds, or end."""
    sys.stdout.write(f"{'ok  ' if condition else 'FAIL'} {what}\n")
    sys.stdout.flush()
    if not condition:
        sys.exit(1)


def check_branch(trial: Trial, name: str, branch: str) -> None:
    """See that a branch is what ``rvbuild update`` makes of the project."""
    to, files = MOVES[name]
    words = ("git", "diff", "--name-only", "main", branch)
    hold(trial.run("project.git", *words).split() == files, f"{branch} changes {files}")
    by_hand = f"by-hand-{branch.rpartition('/')[2]}"
    trial.run(".", "git", "clone", "-q", "project.git", by_hand)
    trial.run(by_hand, "rvbuild", "update", name, "--to", to)
    trial.run(by_hand, "git", "fetch", "-q", "origin", branch)
    same = trial.run(by_hand, "git", "diff", "FETCH_HEAD", "--", "recipes", "rvbuild.lock")
    hold(same == "", f"{branch} is what `rvbuild update {name} --to {to}` makes")
    trial.run(by_hand, "git", "checkout", "-qf", "FETCH_HEAD")
    trial.run(by_hand, "rvbuild", "lock", "--check")
    hold(True, f"{branch} is locked")


def check_text(trial: Trial, name: str, row: dict[str, object]) -> None:
    """See that a merge request has the change log, as Markdown."""
    by_hand = f"by-hand-{str(row['head']['label']).rpartition('/')[2]}"  # type: ignore[index]
    trial.run(by_hand, "git", "checkout", "-qf", "origin/main")
    words = ("rvbuild", "update", name, "--to", MOVES[name][0], "--dry-run", "--markdown", "-q")
    lines = [line for line in trial.run(by_hand, *words).splitlines() if line.strip()]
    missing = [line for line in lines if line not in str(row["body"])]
    hold(lines and not missing, f"{row['title']}: has the change log {missing or ''}")


def check_merges(trial: Trial, forge: Forge, log: Path) -> None:
    """See that each branch still fits once the others are merged."""
    rows = [row for row in forge.merge_requests if row["head"]["label"] != FAILING]
    for row in rows:
        branch = row["head"]["label"]
        trial.run("checkout", "git", "pull", "-q", "--no-rebase", "--no-edit", "origin", branch)
        trial.run("checkout", "rvbuild", "lock", "--check")
        trial.run("checkout", "git", "push", "-q", "origin", "main")
        row.update(state="closed", merged=True)
        trial.bot(forge, log)
        hold(True, f"{branch} is merged, and all is locked")
    hold(len(forge.merge_requests) == len(MOVES) + 1, "all are merged: none is new")
    hold([*trial.branches()] == [FAILING], "and no branch is left but the one that fails")


def main() -> None:
    """Try everything."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--programs", type=Path, required=True, help="has renovate, and its node")
    parser.add_argument("--log", type=Path, help="gets all that Renovate says")
    parser.add_argument("--folder", type=Path, help="stays, and is new")
    words = parser.parse_args()
    if words.folder:
        words.folder.mkdir()
        _try(Trial.at(words.folder, words.programs), words.log or words.folder / "log")
        return
    with tempfile.TemporaryDirectory() as folder:
        _try(Trial.at(Path(folder), words.programs), words.log or Path(folder) / "log")


def _try(trial: Trial, log: Path) -> None:
    repositories = {
        "team/project": trial.folder / "project.git",
        "rvbuild/rvbuild": trial.folder / "rvbuild.git",
    }
    with Forge(repositories).serving() as forge:
        said = trial.bot(forge, log)
        hold("lookup fail" not in said, "each pin is looked up")
        branches, rows = trial.branches(), list(forge.merge_requests)
        sys.stdout.writelines(f"     {name} {commit[:12]}\n" for name, commit in branches.items())
        hold(len(branches) == len(MOVES) + 1 == len(rows), "a branch and a merge request for each")
        for name in MOVES:
            branch = f"renovate/{name.replace('@', '-').replace('/', '-')}"
            check_branch(trial, name, branch)
            [row] = [each for each in rows if each["head"]["label"] == branch]
            check_text(trial, name, row)
        changed = trial.run("project.git", "git", "diff", "--name-only", "main", FAILING)
        hold(changed.split() == ["recipes/torn-source/recipe.yaml"], f"{FAILING} has no lock")
        hold("ONCE" in forge.comments[-1] and len(forge.comments) == 1, "a comment has the error")
        trial.bot(forge, log)
        hold(trial.branches() == branches and forge.merge_requests == rows, "again: nothing new")
        with log.open("a") as file:
            file.writelines(f"\n# {row['title']}\n\n{row['body']}\n" for row in rows)
            file.writelines(f"\n# a comment\n\n{text}\n" for text in forge.comments)
            file.writelines(f"{each}\n" for each in forge.requests)
        check_merges(trial, forge, log)


if __name__ == "__main__":
    main()
