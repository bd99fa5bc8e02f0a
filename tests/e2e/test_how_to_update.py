"""The jobs that open merge requests: what the page says to run is run, with git's own pushes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ci_jobs import github_steps, gitlab_script
from page_blocks import Page
from page_reader import Reader
from renovate_preset import extracted
from world import ROOT, World, git, repository

PAGE = Page.read(ROOT / "docs/how-to/update.md")
GITHUB, GITLAB, RENOVATE = (
    "Let GitHub Actions open the merge request",
    "Let GitLab CI open the merge request",
    "Let Renovate open them, one for each pin",
)
LEFT_OUT = (
    "pip install -r requirements.txt",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    "rvbuild doctor",
)
"""Lines that are not run: rvbuild is here, and nothing is built."""

URL = "https://example.org/lib"
LIB = """\
summary: a library
license: MIT
kind: source
version: "1.0.0"
sources: {{lib: {{git: "{url}", tag: "v${{version}}"}}}}
"""
HOOK = """\
#!/bin/sh
env | grep ^GIT_PUSH_OPTION_ | sort > options
"""
GH = """\
#!/bin/sh
# gh, as much as the page has of it: one open pull request a branch, which is `pull`
echo "$GH_TOKEN: $*" >> calls
for last; do :; done
case $2 in
create) test ! -e pull && cp "$last" pull ;;
edit) test -e pull && cp "$last" pull ;;
esac
"""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A project with a pin that may be moved."""
    upstream, seed = tmp_path / "lib", tmp_path / "seed"
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        (upstream / "ONCE").unlink(missing_ok=True)
        repository(upstream, {"ONCE": "1"} if version == "1.0.0" else {"VERSION": version})
        git(upstream, "tag", f"v{version}")
    for folder in (seed, tmp_path / "project"):
        folder.mkdir()
    reader = Reader.at(tmp_path, seed, dict.fromkeys(LEFT_OUT, ":"))
    (tmp_path / "bin/gh").write_text(GH)
    (tmp_path / "bin/gh").chmod(0o755)
    settings = f'[mirrors]\n"{URL}" = "{upstream}"\n'
    files = {"recipes/lib/recipe.yaml": LIB.format(url=URL), "rvbuild.toml": settings}
    reader.begin_project({**files, "rvbuild.lock": "", ".gitignore": "cache/\n"})
    reader.run(["rvbuild lock", "git commit -qam locked", "git push -q"])
    return reader


def show(reader: Reader, words: str) -> str:
    """What git says of the repository that all clone."""
    return git(reader.folder / "origin.git", *words.split())


def check_branch(reader: Reader) -> None:
    """One commit, with the recipe and the lock."""
    changed = show(reader, "diff --name-only main...update-pins").split()
    assert changed == ["recipes/lib/recipe.yaml", "rvbuild.lock"]
    assert show(reader, "rev-list --count main..update-pins") == "1"
    assert 'version: "1.1.0"' in show(reader, "show update-pins:recipes/lib/recipe.yaml")


CHANGE = "- `lib` `1.0.0` → `1.1.0`"


# ---- GitHub


def run_github(reader: Reader, name: str) -> Reader:
    """A runner that has done all steps."""
    [text] = PAGE.texts(GITHUB, "yaml")
    runner = reader.colleague(name)
    for script, variables in github_steps(text, "update", {}):
        runner.run([script], **variables)
    return runner


def test_github_opens_a_pull_request_and_later_changes_it(reader: Reader):
    runner = run_github(reader, "first")
    check_branch(reader)
    body = (runner.project / "pull").read_text()
    assert CHANGE in body
    calls = (runner.project / "calls").read_text()
    assert calls.startswith("${{ github.token }}: pr create --base main --head update-pins ")

    runner.run(["git switch -q main"])
    (runner.project / "pull").write_text("old")
    [text] = PAGE.texts(GITHUB, "yaml")
    [*_, (script, variables)] = github_steps(text, "update", {})
    runner.run([script], **variables)
    assert (runner.project / "pull").read_text() == body
    assert "pr edit update-pins" in (runner.project / "calls").read_text()


TORN = LIB.replace("library", "source whose next version lacks a file")
FOLLOWER = """\
summary: what is read in that file
kind: tool
version: {from: torn-source, line: 1, file: ONCE}
sources: {torn: {from: torn-source}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


def test_a_pin_that_cannot_be_moved_ends_the_job_after_the_others(reader: Reader):
    for name, text in {"torn-source": TORN.format(url=URL), "torn": FOLLOWER}.items():
        (reader.project / "recipes" / name).mkdir()
        (reader.project / "recipes" / name / "recipe.yaml").write_text(text)
    reader.run(["rvbuild lock", "git add -A", "git commit -qm torn", "git push -q"])
    [text] = PAGE.texts(GITHUB, "yaml")
    [*_, (script, variables)] = github_steps(text, "update", {})
    runner = reader.colleague("torn")
    (runner.folder / "step").write_text(script)
    said = runner.run(["bash -e ../step || echo ended with $?"], **variables)
    assert said.rstrip().rpartition("\n")[2].startswith("ended with ")
    assert "ONCE" in said
    check_branch(reader)
    assert CHANGE in (runner.project / "pull").read_text()


def test_github_opens_none_where_nothing_moves(reader: Reader):
    reader.run(["echo update: none >> recipes/lib/recipe.yaml", "git commit -qam stays"])
    reader.run(["git push -q"])
    assert not (run_github(reader, "idle").project / "calls").exists()
    assert show(reader, "branch --list update-pins") == ""


# ---- GitLab


def test_gitlab_opens_a_merge_request_by_a_push(reader: Reader):
    origin = reader.folder / "origin.git"
    git(origin, "config", "receive.advertisePushOptions", "true")
    (origin / "hooks/post-receive").write_text(HOOK)
    (origin / "hooks/post-receive").chmod(0o755)
    [text] = PAGE.texts(GITLAB, "yaml")
    script, _ = gitlab_script(text, "update", {})
    variables = {
        "CI_REPOSITORY_URL": str(origin),
        "CI_DEFAULT_BRANCH": "main",
        "GITLAB_USER_NAME": "n",
        "GITLAB_USER_EMAIL": "n@example.invalid",
    }
    for name in ("first", "again"):
        reader.colleague(name).run([script], **variables)
        check_branch(reader)
        options = (origin / "options").read_text()
        for part in (
            "merge_request.create\n",
            "merge_request.target=main\n",
            "title=Update pins\n",
        ):
            assert part in options
        [description] = [line for line in options.splitlines() if "description=" in line]
        assert f"\\n{CHANGE}" in description


# ---- the page itself


@pytest.mark.parametrize(("title", "schema"), [(GITHUB, "github-workflows"), (GITLAB, "gitlab-ci")])
def test_yaml_fits_its_system(tmp_path: Path, title: str, schema: str):
    """By the schemas that these systems publish."""
    [text] = PAGE.texts(title, "yaml")
    file = tmp_path / "file.yml"
    file.write_text(text)
    words = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    ran = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


UNSEEN = re.compile(r"sources[.].*[.](suite|url|debian-source)")
"""What `rvbuild update` takes no version for, or `outdated` no list."""


def test_renovate_sees_the_literal_pins_of_all_recipes(bare: World):
    """By the names of `outdated`; what else it sees is of no source, and stays."""
    ran = bare.at(ROOT).run("outdated", "--offline", "--json", "-q")
    rows = [row for row in ran.json["pins"] if row["state"] != "derived"]
    pins = {row["name"]: row["current"] for row in rows if not UNSEEN.fullmatch(row["pin"])}
    texts = {file.parent.name: file.read_text() for file in ROOT.glob("recipes/*/recipe.yaml")}
    seen = dict(pin for recipe, text in texts.items() for pin in extracted(recipe, text))
    assert len(pins) > 40
    assert {name: seen.get(name) for name in pins} == pins


def test_renovate_reads_what_is_here():
    """The preset that a project names is a file of this repository; see tests/long/renovate."""
    [text] = PAGE.texts(RENOVATE, "json")
    [name] = json.loads(text)["extends"]
    assert (ROOT / f"{name.partition('//')[2]}.json").is_file()
    assert PAGE.marked() == {"needs npm": ["export"]}
    assert {block.language for each in (GITHUB, GITLAB) for block in PAGE.sections[each]} == {
        "yaml"
    }
