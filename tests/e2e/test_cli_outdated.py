"""`outdated`, as people use it: tags of a repository, a module proxy, an address, a family."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_schemas import refuse_misfit
from attrs import frozen
from world import ROOT, Ran, World, git, repository

URL = "https://example.org/family"
SOURCE = """\
summary: the family's source
license: MIT
kind: source
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
per-series:
  2: {{commit: {two}}}
  1: {{commit: {one}, release: v1.0.0, min-age: 9999w, update: minor}}
"""
APP = """\
summary: a program of the family
license: MIT
version: {from: family-source, line: 1, file: VERSION}
sources:
  tree: {from: family-source}
build: cp /src/tree/VERSION $out/text
outputs: {text: {path: text}}
"""
LIB = """\
summary: a library, of another line of versions
license: MIT
kind: source
version: "1.0.0"
sources: {lib: {git: "https://example.org/family", tag: "v${version}"}}
"""
MODULE = """\
summary: a module
license: MIT
kind: source
version: v1.2.3
sources: {module: {go-module: example.org/m, version: "${version}"}}
"""
ARCHIVE = """\
summary: an archive
license: MIT
kind: source
version: "7"
sources: {archive: {url: "https://example.org/archive-${version}.tar.gz"}}
"""
BROKEN = "kind: sauce\n"


@frozen
class Project:
    """A project, and its upstreams, which are folders.

    Attributes:
        world: The project.
        one: The commit of the tag v1.0.0.
        newest: That of v1.1.0.
    """

    world: World
    one: str
    newest: str

    def outdated(self, *words: str) -> Ran:
        return self.world.run("outdated", "-q", *words)

    def states(self, *words: str) -> dict[str, str]:
        """The state of each pin, by its name."""
        answer = self.outdated("--json", *words)
        assert answer.code in {0, 1, 3}, str(answer)
        refuse_misfit("outdated", answer.json)
        return {f"{pin['recipe']}/{pin['pin']}": pin["state"] for pin in answer.json["pins"]}


@pytest.fixture
def project(world: World, tmp_path: Path) -> Project:
    upstream, proxy = tmp_path / "family", tmp_path / "proxy/example.org/m/@v"
    commits = []
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        commits.append(repository(upstream, {"VERSION": f"{version}\n"}))
        git(upstream, "tag", f"v{version}")
    proxy.mkdir(parents=True)
    (proxy / "list").write_text("v1.2.3\nv1.2.4\nv1.3.0-rc1\n")
    (proxy / "v1.2.4.mod").write_text("module example.org/m\n")
    (world.folder / "rvbuild.toml").write_text(f'[mirrors]\n"{URL}" = "{upstream}"\n')
    world.recipe("family-source", SOURCE.format(url=URL, two=commits[1], one=commits[0]))
    for name, text in {"app": APP, "lib": LIB, "module": MODULE, "archive": ARCHIVE}.items():
        world.recipe(name, text)
    made = world.with_environment(GOPROXY=(tmp_path / "proxy").as_uri(), GOENV="off")
    return Project(made, commits[0], commits[1])


TABLE = """\
May be moved
  lib     1.0.0 -> 1.1.0    2.0.0: update is minor
  module  v1.2.3 -> v1.2.4  v1.3.0-rc1 is a pre-release

Held back
  family-source@2  v1.1.0  v2.0.0: update is none; 1 commit behind main
  family-source@1  v1.0.0  v2.0.0: update is minor; 2 commits behind main

Derived: 2

Not asked
  an address has no list of versions: 1
    archive 7

"""


def test_people_see_what_may_be_moved(project: Project):
    told = project.outdated()
    assert (told.code, told.out) == (0, TABLE)
    assert project.outdated("--exit-code").code == 1
    assert project.outdated("--exit-code", "archive").code == 0


def test_programs_see_each_pin(project: Project):
    rows = {f"{row['recipe']}/{row['pin']}": row for row in project.outdated("--json").json["pins"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "archive/version": "not-asked",
        "family-source@2/commit": "held-back",
        "family-source@1/commit": "held-back",
        "lib/version": "may-be-moved",
        "module/version": "may-be-moved",
        "app@2/version": "derived",
        "app@1/version": "derived",
    }
    assert rows["lib/version"]["allowed"] == {
        "version": "1.1.0",
        "commit": project.newest,
        "published": None,
    }
    assert rows["family-source@1/commit"]["policy"] == {"update": "minor", "min-age": "9999w"}
    assert rows["app@1/version"]["unasked"] == "not-locked"


def test_a_derived_pin_says_what_decides_it_once_it_is_locked(project: Project):
    project.world.fine("lock", "app")
    lines = project.outdated("--all", "app").out.splitlines()
    assert "  app@2  1.1.0  family-source@2 VERSION:1" in lines
    (row,) = [
        row for row in project.outdated("--json", "app@1").json["pins"] if row["state"] == "derived"
    ]
    assert (row["current"], row["decided-by"]) == ("1.0.0", "family-source@1/commit")


def test_names_are_recipes_and_what_they_are_read_from(project: Project):
    assert [*project.states("lib")] == ["lib/version"]
    assert [*project.states("app@2")] == ["family-source@2/commit", "app@2/version"]
    assert [*project.states("@1")] == ["family-source@1/commit", "app@1/version"]
    assert project.outdated("lob").said("no recipe called 'lob'", "did you mean").code == 2


def test_settings_say_what_moves_by_itself(project: Project):
    file = project.world.folder / "rvbuild.toml"
    file.write_text(file.read_text() + '[update]\npolicy = "major"\n')
    (lib,) = project.outdated("--json", "lib").json["pins"]
    assert lib["allowed"]["version"] == "2.0.0"
    file.write_text(file.read_text() + 'min-age = "9999w"\n')
    (lib,) = project.outdated("--json", "lib").json["pins"]
    assert (lib["state"], lib["held"]["by"]) == ("held-back", "min-age")
    assert "2.0.0: from 2215-" in project.outdated("lib").out


def test_offline_it_says_what_it_could_not_ask(project: Project):
    online = {"GOPROXY": "https://proxy.invalid"}
    offline = Project(project.world.with_environment(**online), project.one, project.newest)
    assert offline.states("--offline", "module") == {"module/version": "not-asked"}
    assert "  offline: 1\n    module v1.2.3\n" in offline.outdated("--offline").out
    assert offline.states("--offline", "lib") == {"lib/version": "may-be-moved"}


def test_one_upstream_that_fails_spares_the_others(project: Project):
    proxy = Path(project.world.environment["GOPROXY"].removeprefix("file://"))
    (proxy / "example.org/m/@v/list").unlink()
    told = project.outdated()
    assert told.code == 0
    assert "  no answer: 1\n    module v1.2.3\n      example.org/m: no module proxy" in told.out
    assert "  lib  1.0.0 -> 1.1.0" in told.out


def test_a_code_of_0_says_that_every_upstream_was_asked(project: Project):
    """What may be moved all the same is more than what nobody knows; offline nobody is asked."""
    proxy = Path(project.world.environment["GOPROXY"].removeprefix("file://"))
    (proxy / "example.org/m/@v/list").unlink()
    told = project.outdated("--exit-code", "module").said("no module proxy")
    assert told.code == 4
    assert project.outdated("module").code == 0
    assert project.outdated("--exit-code", "module", "lib").code == 1
    assert project.outdated("--exit-code", "--offline", "archive").code == 0


ENDED = "{value: v2, because: [CVE-1], while: v1, until: 2000-01-01}"
INSTEAD = f"instead: {{pins: {{runc/version: {ENDED}}}}}"


def test_an_override_that_ended_is_seen_whatever_it_is_on(bare: World):
    """A literal that no source is chosen by; what a series gives to a recipe of rvbuild's."""
    bare.recipe(
        "ovr",
        "summary: s\nkind: tool\nbuild: ': > $out/out'\noutputs: {out: {path: out}}\npins:\n"
        f"  d: {{literal: v1, instead: {ENDED}}}\n",
    )
    told = bare.run("outdated", "-q", "--offline", "--exit-code")
    assert told.code == 1
    assert "  ovr d  v2 instead of v1  ended: it was until 2000-01-01; CVE-1\n" in told.out
    source = (ROOT / "recipes/k3s-source/recipe.yaml").read_text()
    said = source.replace(
        'end-of-support: "2027-02-28"',
        f'end-of-support: "2027-02-28", {INSTEAD}',
    )
    assert said != source
    folder = bare.recipe("k3s-source", said).parent
    for patch in (ROOT / "recipes/k3s-source").glob("*.patch"):
        (folder / patch.name).write_bytes(patch.read_bytes())
    answer = bare.run("outdated", "-q", "--offline", "--json").json
    refuse_misfit("outdated", answer)
    rows = [row for row in answer["pins"] if row["instead"]]
    assert [(row["recipe"], row["pin"], row["instead"]["ended"]) for row in rows] == [
        ("ovr", "d", "day"), ("runc@1.35", "version", "upstream"),
    ]  # fmt: skip
    assert not [row for row in answer["pins"] if row["recipe"].startswith("nginx")]


def test_a_broken_recipe_is_left_out_and_told(project: Project):
    project.world.recipe("broken", BROKEN)
    told = project.outdated().said("'kind' cannot be 'sauce'")
    assert (told.code, told.out) == (3, TABLE)


def test_a_project_without_pins(world: World):
    world.step("it", "echo 1 > $out/out.txt")
    told = world.run("outdated", "-q")
    assert (told.code, told.out) == (0, "no pin is there\n")


def test_update_takes_the_name_of_each_row(project: Project):
    """Of several pins in one recipe, too; derived ones have none."""
    rows = project.outdated("--json").json["pins"]
    names = [row["name"] for row in rows if row["state"] != "derived"]
    assert len(set(names)) == len(names) >= 4
    assert "family-source/commit@1" in names
    assert {row["name"] for row in rows if row["state"] == "derived"} == {None}
    movable = [row for row in rows if row["state"] == "may-be-moved" and row["kind"] == "git"]
    assert movable
    for row in movable:
        words = (row["name"], "--to", row["allowed"]["version"], "--dry-run", "--json")
        moves = project.world.fine("update", *words).json["moves"]
        assert [(move["recipe"], move["place"]) for move in moves] == [
            (row["recipe"].partition("@")[0], row["place"])
        ], moves
