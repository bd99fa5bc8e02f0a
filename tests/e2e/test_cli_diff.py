"""`diff`, as people use it: a family of recipes with two series, in a git repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from world import HERE, World, git

URL = "https://example.org/family"
SOURCE = """\
summary: the family's source
license: {licence}
kind: source
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
per-series:
  2: {{commit: {two}}}
  1: {{commit: {one}}}
"""
LIBRARY = """\
summary: the same for all
version: "{version}"
build: |
  echo "library $version" > $out/line
outputs: {{line: {{path: line}}}}
"""
APP = """\
summary: a program of the family
version: {from: family-source, line: 1, file: VERSION}
sources:
  tree: {from: family-source}
inputs: {target: [library]}
build: |
  cat /in/library/line /src/tree/WORD > $out/text
outputs: {text: {path: text}}
"""
APP_HERE = f"app-{HERE}"


class Family:
    """A project below the top of a repository, and its upstream."""

    def __init__(self, world: World, upstream: Path) -> None:
        self.top = world.folder
        self.world = world.at(world.folder / "below")
        self.world.folder.mkdir()
        self.upstream = upstream
        for folder in (self.top, upstream):
            folder.mkdir(exist_ok=True)
            git(folder, "init", "-q")
        self.one = self.release("1.0.1", WORD="old")
        self.two = self.release("2.0.5", WORD="new")
        mirror = f'[mirrors]\n"{URL}" = "{upstream}"\n'
        (self.world.folder / "rvbuild.toml").write_text(mirror)
        self.write("MIT", "7")
        self.commit("v1")

    def release(self, version: str = "", **files: str) -> str:
        """One commit, of another version if it says one."""
        for name, text in {**({"VERSION": version} if version else {}), **files}.items():
            path = self.upstream / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{text}\n")
        git(self.upstream, "add", ".")
        git(self.upstream, "commit", "-q", "-m", f"{version} with {', '.join(files)}")
        return git(self.upstream, "rev-parse", "HEAD")

    def write(self, licence: str, version: str) -> None:
        """The recipes and the lock of what upstream has."""
        source = SOURCE.format(url=URL, one=self.one, two=self.two, licence=licence)
        self.world.recipe("family-source", source)
        self.world.recipe("library", LIBRARY.format(version=version))
        self.world.recipe("app", APP)
        (self.world.folder / "recipes/series.yaml").write_text("default: [2]\n")
        self.world.fine("lock")

    def commit(self, tag: str) -> None:
        git(self.top, "add", ".")
        git(self.top, "commit", "-q", "-m", tag)
        git(self.top, "tag", tag)

    def diff(self, *words: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.world.fine("diff", *words, "--json").out)
        return document


@pytest.fixture
def family(bare: World, tmp_path: Path) -> Family:
    return Family(bare, tmp_path / "upstream")


def pins(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        f"{each['recipe']}/{each['pin']}": (each["old"], each["new"]) for each in document["pins"]
    }


def targets(document: dict[str, Any]) -> list[str]:
    return [each["target"] for each in document["rebuild"]["targets"]]


def test_two_series(family: Family):
    document = family.diff("app@1", "app@2", "--commits")
    assert pins(document) == {"app/version": ("1.0.1", "2.0.5")}
    (source,) = document["sources"]
    facts = {each["name"]: (each["old"], each["new"]) for each in source["facts"]}
    assert facts["commit"] == (family.one, family.two)
    assert APP_HERE in targets(document)
    (log,) = document["logs"]
    assert [each["commit"] for each in log["commits"]] == [family.two]
    text = family.world.fine("diff", f"{APP_HERE}@1", f"{APP_HERE}@2").out
    assert f"app  1.0.1 -> 2.0.5  (VERSION:1 of family-source {family.two[:8]})" in text
    assert f"Built again\n  app  {HERE}\n" in text


def test_revisions_and_the_project_as_it_is(family: Family):
    assert "nothing differs" in family.world.fine("diff").out
    former = family.two
    family.release(tests__a="no step reads this")
    family.two = family.release("2.0.7", WORD="newest")
    family.write("0BSD", "8")
    now = family.diff("--commits")
    assert (now["old"], now["new"]) == ("HEAD", None)
    assert pins(now) == {"app@2/version": ("2.0.5", "2.0.7"), "library/version": ("7", "8")}
    licences = {each["recipe"]: each["new"] for each in now["licenses"]}
    assert licences == {"family-source@1": "0BSD", "family-source@2": "0BSD"}
    assert {f"{APP_HERE}@1", f"{APP_HERE}@2", f"library-{HERE}"} <= {*targets(now)}
    (log,) = now["logs"]
    assert [each["commit"] for each in log["commits"]] == [family.two]
    assert (log["old"], log["others"]) == (former, 1)
    only = family.diff("--target", f"{APP_HERE}@1")
    assert targets(only) == [f"{APP_HERE}@1"]

    family.commit("v2")
    assert family.diff("v1", "v2") == {**family.diff("HEAD~1", "HEAD"), "old": "v1", "new": "v2"}
    assert pins(family.diff("v2", "v1"))["library/version"] == ("8", "7")
    assert family.diff("v1")["pins"] == family.diff("v1", "v2")["pins"]


def test_a_lock_alone(family: Family):
    lock = family.world.folder / "rvbuild.lock"
    (family.world.folder / "old.lock").write_bytes(lock.read_bytes())
    family.two = family.release("3.0.0", WORD="third")
    family.write("MIT", "7")
    document = family.diff("old.lock", "rvbuild.lock")
    assert pins(document) == {"app@2/version": ("2.0.5", "3.0.0")}
    assert document["rebuild"] is None


INSTEAD = "{two}, instead: {{pins: {{app/version: {decision}}}}}"
DECISION = '{value: 2.9.0, because: [CVE-1], while: 2.0.5, until: "2099-12-31"}'


def test_a_value_instead_of_upstreams(family: Family):
    """The line has upstream's value, and says so; the reason is a person's."""
    upstream = family.two
    family.two = INSTEAD.format(two=upstream, decision=DECISION)
    family.write("MIT", "7")
    (pin,) = family.diff("HEAD")["pins"]
    assert (pin["old"], pin["new"], pin["old-override"]) == ("2.0.5", "2.9.0", None)
    assert pin["override"] == {"upstream": "2.0.5", "because": ["CVE-1"], "until": "2099-12-31"}
    place = f"VERSION:1 of family-source@2 {upstream[:8]}"
    line = f"2.0.5 -> 2.9.0 instead of 2.0.5  ({place}), because CVE-1, until 2099-12-31\n"
    assert f"  app@2  {line}" in family.world.fine("diff").out
    family.commit("v2")
    line = f"2.9.0 instead of 2.0.5 -> 2.0.5  ({place}), no longer because CVE-1\n"
    assert line in family.world.fine("diff", "v2", "v1").out


@pytest.mark.parametrize("words", [("rvbuild.lock",), ("HEAD", "rvbuild.lock")])
def test_a_lock_and_the_project_that_it_is_of(family: Family, words: tuple[str, ...]):
    """A lock has no version that a recipe says itself, so none came or went."""
    assert "nothing differs" in family.world.fine("diff", *words).out


def test_one_target_alone(family: Family):
    """What other targets need is another matter."""
    family.world.recipe("library", LIBRARY.format(version="9"))
    family.world.recipe("other", LIBRARY.format(version="1"))
    family.commit("v2")
    family.world.recipe("other", LIBRARY.format(version="2"))
    library = f"library-{HERE}"
    document = family.diff("HEAD", "--target", library)
    assert (document["pins"], targets(document), document["rebuild"]["same"]) == ([], [], 1)
    ran = family.world.fine("diff", "HEAD", "--target", library)
    assert ran.out == f"HEAD -> the project as it is\n\nThe same\n  {library}\n"
    both = ("v1", "v2", "--target", f"{APP_HERE}@2", "--target", f"other-{HERE}")
    family.world.run("diff", *both).said("both sides must have the target")
    document = family.diff("v1", "v2", "--target", f"{APP_HERE}@2")
    assert pins(document) == {"library/version": ("7", "9")}
    assert document["recipes"]["added"] == []
    assert targets(document) == [f"{APP_HERE}@2"]


def test_nothing_is_checked_out_and_nothing_of_the_repository_runs(family: Family, tmp_path: Path):
    """Neither the index nor a file is touched; hooks, filters and monitors are not asked."""
    trap, ran = tmp_path / "trap", tmp_path / "ran"
    trap.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "filter.trap.smudge", "filter.trap.process", "core.pager"):
        git(family.top, "config", key, str(trap))
    (family.top / ".gitattributes").write_text("* filter=trap\n")
    family.world.recipe("library", LIBRARY.format(version="9"))
    index = (family.top / ".git/index").read_bytes()
    ran.unlink(missing_ok=True)
    assert pins(family.diff("v1")) == {"library/version": ("7", "9")}
    assert (family.top / ".git/index").read_bytes() == index
    assert not ran.exists()


def test_results_of_two_series(family: Family):
    """Both are built; the one that differs is text, which no program or image is in."""
    world, both = family.world, (f"{APP_HERE}@1", f"{APP_HERE}@2")
    unbuilt = world.run("diff", "--built", *both)
    assert unbuilt.code == 2
    unbuilt.said("no result here", f"{APP_HERE}@1", f"run `rvbuild {APP_HERE}@1`")
    world.fine("build", *both)
    document = json.loads(world.fine("diff", "--built", *both, "--json").out)
    (file,) = document["files"]
    assert file["path"] == "text"
    assert {file[side]["mode"] for side in ("old", "new")} == {"file"}
    assert file["old"]["content"] != file["new"]["content"]
    assert (document["programs"], document["layers"]) == ([], [])
    assert "  text  file, " in world.fine("diff", "--built", *both).out
    assert "### " in world.fine("diff", "--built", *both, "--markdown").out
    assert "nothing differs" in world.fine("diff", "--built", both[0], both[0]).out


REFUSED = {
    "no revision": (("nosuch",), "no such revision"),
    "no file": (("./nosuch",), "no such file, and the project's repository has no such revision"),
    "no lock": (("nosuch.lock",), "no such file, and the project's repository has no such"),
    "a target of a lock": (("HEAD", "rvbuild.lock", "--target", "a"), "a lock alone does not say"),
    "an option": (("--", "--output=x"), "cannot be the name of a revision"),
    "a tree": (("HEAD:below",), "no such revision"),
    "one series": (("app@1",), "with another series of the same recipe"),
    "a series and a revision": (("app@1", "HEAD"), "with another series of the same recipe"),
    "two recipes": (("app@1", "family-source@2"), "with another series of the same recipe"),
    "no series": (("app@1", "app@9"), "app has no series '9'"),
    "three": (("HEAD", "HEAD", "HEAD"), "at most two sides"),
    "no target": (("HEAD", "--target", "app"), "both sides must have the target"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_side(family: Family, name: str):
    words, text = REFUSED[name]
    ran = family.world.run("diff", *words)
    assert (ran.code, ran.out) == (2, ""), ran
    ran.said(text)


def test_a_recipe_that_cannot_be_read_spares_the_others(family: Family):
    family.world.recipe("library", LIBRARY.format(version="9") + "nonsense: 1\n")
    ran = family.world.run("diff", "--json")
    assert ran.code == 3
    ran.said("recipes/library/recipe.yaml", "nonsense")
    document = ran.json
    assert (document["pins"], document["recipes"]["removed"]) == ([], [])
    unlinked = {each["target"] for each in document["rebuild"]["unlinked"]}
    assert f"{APP_HERE}@1" in unlinked


def test_outside_of_a_repository(bare: World):
    bare.recipe("library", LIBRARY.format(version="1"))
    bare.fine("lock")
    ran = bare.run("diff")
    assert ran.code == 2
    ran.said("in no git repository")


def test_before_the_first_commit(bare: World):
    git(bare.folder, "init", "-q")
    bare.recipe("library", LIBRARY.format(version="1"))
    bare.fine("lock")
    ran = bare.run("diff")
    assert ran.code == 2
    ran.said("has no commit yet")
