"""Series, as people use them: one tree of recipes, a target of each version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from world import HERE, World, git

URL = "https://example.org/family"
SOURCE = """\
summary: the family's source
kind: source
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
per-series:
  2: {{commit: {two}, release: v2.0.5, end-of-support: 2999-02-28}}
  1: {{end-of-support: 2020-02-28, commit: {one}}}
"""
COMPILER = """\
summary: a tool that moves with the family
kind: tool
version: {from: family-source, line: 1, file: VERSION}
build: |
  echo "compiled by $version" > $out/line
outputs: {line: {path: line}}
"""
LIBRARY = """\
summary: the same for all
version: "7"
build: |
  echo "library $version" > $out/line
outputs: {line: {path: line}}
"""
APP = """\
summary: a program of the family
version: {from: family-source, line: 1, file: VERSION}
sources:
  tree: {from: family-source}
inputs: {build: [compiler], target: [library]}
build: |
  cat /in/compiler/line /in/library/line /src/tree/WORD > $out/text
  echo "$name $version" >> $out/text
outputs: {text: {path: text}}
checks:
  - {run: cat /in/app/text, expect: "compiled by ${version}"}
"""
OLD = ["compiled by 1.0.1", "library 7", "old", "app 1.0.1"]
NEW = ["compiled by 2.0.5", "library 7", "new", "app 2.0.5"]
APP_HERE = f"app-{HERE}"


def _commit(repository: Path, version: str, word: str) -> str:
    (repository / "VERSION").write_text(f"{version}\n")
    (repository / "WORD").write_text(f"{word}\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", version)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def family(world: World, tmp_path: Path) -> World:
    """A family of recipes with two series, which is locked."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    one, two = _commit(repository, "1.0.1", "old"), _commit(repository, "2.0.5", "new")
    world.recipe("family-source", SOURCE.format(url=URL, one=one, two=two))
    for name, text in (("compiler", COMPILER), ("library", LIBRARY), ("app", APP)):
        world.recipe(name, text)
    (world.folder / "recipes" / "series.yaml").write_text("default: [2]\n")
    (world.folder / "rvbuild.toml").write_text(f'[mirrors]\n"{URL}" = "{repository}"\n')
    world.fine("lock")
    return world


def _text(world: World, target: str) -> list[str]:
    return (world.folder / "result" / target / "text").read_text().splitlines()


def test_series_are_built_beside_each_other_and_share_what_does_not_move(family: World):
    ran = family.fine(APP_HERE, f"{APP_HERE}@1", f"{APP_HERE}@2")
    ran.said("build 5")  # two of app, two of compiler, one library
    assert _text(family, f"{APP_HERE}@1") == OLD
    assert _text(family, f"{APP_HERE}@2") == _text(family, APP_HERE) == NEW
    assert "built" not in family.fine(f"{APP_HERE}@1").err


def test_the_default_is_said_in_one_place(family: World):
    """A build with nothing to do sees that it is another, too."""
    family.fine(APP_HERE)
    assert family.fine(APP_HERE).err == ""
    (family.folder / "recipes" / "series.yaml").write_text("default: [1]\n")
    family.fine("lock", "--check")
    family.fine(APP_HERE)
    assert _text(family, APP_HERE) == OLD


def test_a_project_without_a_default_has_to_be_told_the_series(family: World):
    default = family.folder / "recipes" / "series.yaml"
    default.unlink()
    ran = family.run(APP_HERE)
    ran.said("series of app is the default: 2, 1", f"one of: {APP_HERE}@2, {APP_HERE}@1")
    family.fine(f"{APP_HERE}@1")
    listed = family.fine("show").out
    assert "app " in listed
    assert "not in the lock" not in listed
    names = [each["name"] for each in json.loads(family.fine("show", "--json").out)["recipes"]]
    assert {"app", "compiler", "family-source"} <= set(names)

    default.write_text("default: [3]\n")
    for words in ((APP_HERE,), ("show",)):
        ran = family.run(*words)
        assert ran.code == 3
        ran.said("no recipe has the series '3', which is to be", "recipes/series.yaml:1:1")
    family.fine(f"{APP_HERE}@1")
    default.write_text("defaults: [3]\n")
    ran = family.run(APP_HERE)
    assert ran.code == 3
    ran.said("unknown key 'defaults'", "recipes/series.yaml:1:1", "did you mean 'default'?")


def test_show_tells_the_series_its_release_and_its_support(family: World):
    out = family.fine("show", APP_HERE).out
    assert "series      2 (default); also 1\n" in out
    assert "family-source: v2.0.5, supported until 2999-02-28\n" in out
    out = family.fine("show", f"{APP_HERE}@1").out
    assert "series      1; also 2 (default)\n" in out
    assert "family-source: a commit that is no release, support ended on 2020-02-28\n" in out
    answer = json.loads(family.fine("show", "--json", f"{APP_HERE}@1").out)
    assert answer["series"] == {
        f"{APP_HERE}@1": {
            "series": "1",
            "default": "2",
            "others": ["2"],
            "upstream": [
                {
                    "recipe": "family-source",
                    "release": None,
                    "end-of-support": "2020-02-28",
                    "ended": True,
                }
            ],
        }
    }
    assert json.loads(family.fine("show", "--json", f"library-{HERE}").out)["series"] == {}


def _entries(world: World) -> dict[str, str]:
    """The lock's entries of recipes with series, each as a text, by their names."""
    lines = (world.folder / "rvbuild.lock").read_text().split("\n  ")
    entries: dict[str, str] = {}
    name = ""
    for line in lines:
        if not line.startswith(" ") and line.endswith(":"):
            name = line
        entries[name] = entries.get(name, "") + line + "\n"
    return {key: text for key, text in entries.items() if "@1/" in key or "@2/" in key}


def test_one_series_is_locked_again_or_dropped_alone(family: World, tmp_path: Path):
    """The others stay as they are, and nobody asks for them: there is nothing to ask."""
    before = _entries(family)
    three = _commit(tmp_path / "repository", "1.0.9", "older")
    source = family.folder / "recipes" / "family-source" / "recipe.yaml"
    lines = source.read_text().splitlines()
    last = lines[-1].split()[-1].rstrip("}")
    source.write_text(source.read_text().replace(last, three))
    family.fine("lock", "--check", "@2")
    assert family.run("lock", "--check", "@1").code == 3
    family.fine("lock", "@1")
    after = _entries(family)
    assert {key for key in after if after[key] != before[key]} == {
        key for key in before if "@1/" in key
    }
    family.fine("lock", "--check")

    source.write_text("\n".join(lines[:-1]) + "\n")
    (tmp_path / "repository").rename(tmp_path / "away")
    (family.folder / "rvbuild.toml").write_text("")
    family.fine("lock", "--offline")
    assert _entries(family) == {key: text for key, text in before.items() if "@2/" in key}
    ran = family.run(f"{APP_HERE}@1")
    assert ran.code == 2
    ran.said("app has no series '1'", "hint: it has 2")


def test_a_folder_stands_for_a_source_in_one_series_or_in_all(family: World, tmp_path: Path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "WORD").write_text("mine\n")
    targets = (APP_HERE, f"{APP_HERE}@1")
    family.fine(*targets, "--override", f"family-source={mine}")
    assert [_text(family, each)[2] for each in targets] == ["mine", "mine"]
    family.fine(*targets, "--override", f"family-source@1={mine}")
    assert [_text(family, each)[2] for each in targets] == ["new", "mine"]


def test_values_per_series_are_for_sources_alone(family: World):
    family.recipe("library", LIBRARY + "per-series: {2: {word: x}}\n")
    ran = family.run(f"library-{HERE}")
    assert ran.code == 3
    ran.said("a 'kind: package' recipe has no values per series", "recipes/library/recipe.yaml:6:1")


@pytest.mark.parametrize(
    "words",
    [
        *(("lock", half) for half in ("@", "app@")),
        *((APP_HERE, "--override", f"{half}={{}}") for half in ("family-source@", "@1")),
        (APP_HERE, "--replace", "library=app@"),
    ],
)
def test_half_a_name_is_refused_wherever_somebody_writes_one(family: World, words: tuple[str, ...]):
    before = (family.folder / "rvbuild.lock").read_bytes()
    ran = family.run(*(word.format(family.folder / "recipes") for word in words))
    assert ran.code in {2, 3}
    ran.said("an '@' stands between a name and its series", "for example k3s@1.34")
    assert (family.folder / "rvbuild.lock").read_bytes() == before
