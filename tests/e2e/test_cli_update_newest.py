"""`update` without a version: what policies allow moves, in one lock, and the rest is told."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from answer_schemas import refuse_misfit
from attrs import frozen
from signed_archive import MadePackage, SignedArchive, Signer
from site_of_bytes import Served, serve_pages
from world import HERE, Ran, World, git, repository

FAMILY, OTHER, FILES = (f"https://example.org/{name}" for name in ("family", "other", "files"))
SOURCE = """\
summary: the family's source
kind: source
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
per-series:
  "2": {{commit: {two}}}
  "1": {{commit: {one}, release: v1.0.0, update: minor}}  # moves by itself
"""
APP = """\
summary: a program of the family
kind: tool
version: {from: family-source, line: 1, file: VERSION}
sources: {tree: {from: family-source}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""
LIB = """\
summary: a library, of another line of versions
kind: source
version: "1.0.0"
sources: {lib: {git: "https://example.org/other", tag: "v${version}"}}
"""
MODULE = """\
summary: a module
kind: source
version: v1.2.3
sources: {module: {go-module: example.org/m, version: "${version}"}}
"""
SUMMED = """\
summary: a library and an archive of the same version
kind: tool
version: "1.0.0"
build: ": > $out/out"
outputs: {{out: {{path: out}}}}
sources:
  summed: {{git: "https://example.org/other", tag: "v${{version}}"}}
  archive:
    url: "https://example.org/files/archive-${{version}}.tar"
    unpack: false
    sha256: {sha256}
"""
ARCHIVE = """\
summary: an archive
kind: source
version: "7"
sources: {archive: {url: "https://example.org/files/archive-${version}.tar", unpack: false}}
"""
STRICT = """\
summary: what reads a file that only the first version has
kind: tool
version: {from: lib, line: 1, file: FIRST}
sources: {lib: {from: lib}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


OVERRIDE = """\
summary: what has another version than the family says
kind: source
version:
  from: family-source
  line: 1
  file: KEPT
  instead: {value: 1.1.0, because: [CVE-2026-1], while: 1.0.0}
sources: {newer: {git: "https://example.org/other", tag: "v${version}"}}
"""


@frozen
class Project:
    """A project, its upstreams, and commits by their versions."""

    world: World
    commits: dict[str, str]

    def update(self, *words: str, code: int = 0) -> Ran:
        ran = self.world.run("update", "-q", *words)
        assert ran.code == code, str(ran)
        return ran

    def answer(self, *words: str, code: int = 0) -> dict[str, list[dict[str, object]]]:
        """What programs read; it fits the schema."""
        answer: dict[str, list[dict[str, object]]] = self.update("--json", *words, code=code).json
        refuse_misfit("update", answer)
        return answer

    def text(self, recipe: str) -> str:
        return (self.world.folder / f"recipes/{recipe}/recipe.yaml").read_text()

    @property
    def other(self) -> Path:
        """The other repository."""
        return self.world.folder.parent / "other"

    @property
    def status(self) -> str:
        return git(self.world.folder, "status", "--porcelain")


def _publish(folder: Path, version: str) -> None:
    """Put a version of a module into a proxy that is a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "list").open("a") as names:
        names.write(f"{version}\n")
    (folder / f"{version}.mod").write_text("module example.org/m\n")
    (folder / f"{version}.info").write_text(
        json.dumps({"Version": version, "Time": "2024-01-01T00:00:00Z"})
    )
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        archive.writestr(f"example.org/m@{version}/go.mod", "module example.org/m\n")


@pytest.fixture
def project(bare: World, tmp_path: Path) -> Project:
    """Everything is locked and committed; upstreams have more."""
    commits = {}
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        first = {"FIRST": f"{version}\n"} if version == "1.0.0" else {}
        if not first:
            (tmp_path / "other/FIRST").unlink(missing_ok=True)
        commits[version] = repository(
            tmp_path / "family", {"VERSION": f"{version}\n", "KEPT": "1.0.0\n"}
        )
        repository(tmp_path / "other", {"VERSION": f"{version}\n", **first})
        for name in ("family", "other"):
            git(tmp_path / name, "tag", f"v{version}")
    proxy = tmp_path / "proxy/example.org/m/@v"
    for version in ("v1.2.3", "v1.2.4", "v1.3.0-rc1"):
        _publish(proxy, version)
    (tmp_path / "files").mkdir()
    mirrors = "".join(
        f'"{url}" = "{tmp_path / url.rpartition("/")[2]}"\n' for url in (FAMILY, OTHER, FILES)
    )
    (bare.folder / "rvbuild.toml").write_text(f"[mirrors]\n{mirrors}")
    family = SOURCE.format(url=FAMILY, two=commits["1.0.0"], one=commits["1.0.0"])
    texts = {"family-source": family, "app": APP, "lib": LIB, "module": MODULE}
    for name, text in texts.items():
        bare.recipe(name, text)
    (bare.folder / "recipes/series.yaml").write_text('default: ["2"]\n')
    world = bare.with_environment(
        GOPROXY=(tmp_path / "proxy").as_uri(), GOENV="off", GOSUMDB="off", GONOSUMDB="*"
    )
    world.fine("lock")
    git(bare.folder, "init", "-q")
    git(bare.folder, "add", "-A")
    git(bare.folder, "commit", "-q", "-m", "one")
    return Project(world, commits)


TOLD = """\
family-source@1: {one} -> {two}, because v1.1.0 is the newest that update: minor allows
  app@1 1.0.0 -> 1.1.0, because VERSION:1 of family-source@1 {short} says so
  family-source@1/tree (git) {one} -> {two}, because family-source@1 moves
lib: 1.0.0 -> 1.1.0, because 1.1.0 is the newest that update: minor allows
  lib/lib (git) v1.0.0, {lib} -> v1.1.0, {new}, because lib moves
module: v1.2.3 -> v1.2.4, because v1.2.4 is the newest that update: minor allows
  module/module (go-module) v1.2.3 -> v1.2.4, because module moves
recipes/family-source/recipe.yaml
recipes/lib/recipe.yaml
recipes/module/recipe.yaml

Held back
  family-source@2  v1.0.0  v2.0.0: update is none; 2 commits behind main
  family-source@1  v1.1.0  v2.0.0: update is minor
  lib              1.1.0   2.0.0: update is minor
  module           v1.2.4  v1.3.0-rc1 is a pre-release
"""


def test_all_that_policies_allow_moves_together(project: Project):
    """Each move has its reason, and what follows stands below it."""
    before = project.text("family-source")
    told = project.update().out
    one, two = project.commits["1.0.0"], project.commits["1.1.0"]
    tags = [git(project.other, "rev-parse", f"v{each}")[:12] for each in ("1.0.0", "1.1.0")]
    lib, new = tags
    assert told == TOLD.format(one=one[:12], two=two[:12], short=two[:8], lib=lib, new=new)
    text = before.replace(f"{one}, release: v1.0.0", f"{two}, release: v1.1.0")
    assert project.text("family-source") == text
    assert project.text("lib") == LIB.replace("1.0.0", "1.1.0")
    project.world.fine("lock", "--check")
    again = project.update().out
    assert again.startswith("nothing to move\n\nHeld back\n")


def test_programs_read_why_and_what_follows(project: Project):
    answer = project.answer("--dry-run")
    assert project.status == ""
    assert answer["written"] is False
    moves = [[move[name] for name in ("recipe", "pin", "series")] for move in answer["moves"]]
    assert moves == [
        ["family-source", "commit", "1"],
        ["lib", "version", None],
        ["module", "version", None],
    ]
    assert answer["moves"][0]["upstream-version"] == "v1.1.0"
    assert answer["moves"][0]["policy"] == {"update": "minor", "min-age": None}
    rows = {f"{row['recipe']}/{row['pin']}": row for row in answer["pins"]}
    assert (rows["app@1/version"]["because"], rows["app@1/version"]["move"]) == ("derived", 0)
    assert (rows["lib/version"]["because"], rows["lib/version"]["move"]) == ("policy", 1)
    assert [(row["source"], row["because"], row["move"]) for row in answer["sources"]] == [
        ("family-source@1/tree", "policy", 0),
        ("lib/lib", "policy", 1),
        ("module/module", "policy", 2),
    ]
    assert len(answer["held-back"]) == 4
    text = project.update("--dry-run", "--markdown").out
    assert text.startswith("## `3 moves`\n\n### Moves\n")
    assert "- `lib` `1.0.0` → `1.1.0` (`because 1.1.0 is the newest that update: minor" in text
    assert "### Held back\n\n- `family-source@2` `v1.0.0` (`v2.0.0: update is none" in text


NAMES = {
    "app": ["family-source"],
    "app@1": ["family-source"],
    "@1": ["family-source"],
    "@1 --series 1": ["family-source"],
    "@2": [],
    "lib": ["lib"],
    "lib module": ["lib", "module"],
}


@pytest.mark.parametrize("names", NAMES)
def test_names_say_what_moves(project: Project, names: str):
    """A name is what its version follows, and a series is what stands in it."""
    answer = project.answer(*names.split(), "--dry-run")
    assert [move["recipe"] for move in answer["moves"]] == NAMES[names]
    if names != "app":
        return
    project.update("app", "--series", "2")
    assert project.status == ""
    project.update("app", "--series", "1")
    assert project.status == "M recipes/family-source/recipe.yaml\n M rvbuild.lock"


def test_what_waits_is_told_with_the_day(project: Project):
    file = project.world.folder / "rvbuild.toml"
    file.write_text(f'{file.read_text()}[update]\nmin-age = "9999w"\n')
    told = project.update("module").out
    assert told.startswith("nothing to move\n\nHeld back\n  module  v1.2.3  v1.2.4: from 2215-")
    file.write_text(file.read_text().replace("9999w", "2d"))
    told = project.update("module").out
    assert "the newest that update: minor and min-age: 2d allow\n" in told


def test_what_nobody_can_derive_leaves_one_pin_out(project: Project):
    """It is told with its place and what to say; then it moves, too."""
    folder = project.world.folder.parent / "files"
    sums = {}
    for version in ("1.0.0", "1.1.0"):
        data = version.encode()
        (folder / f"archive-{version}.tar").write_bytes(data)
        sums[version] = hashlib.sha256(data).hexdigest()
    text = SUMMED.format(sha256=sums["1.0.0"])
    project.world.recipe("summed", text)
    project.world.fine("lock")
    answer = project.answer(code=2)
    assert [move["recipe"] for move in answer["moves"]] == ["family-source", "lib", "module"]
    (failure,) = answer["failures"]
    assert failure["problem"] == "a person has to say sha256"
    (detail,) = failure["details"]  # type: ignore[misc]
    assert detail == "recipes/summed/recipe.yaml:11:5: sha256: the sha256 of 1.1.0"
    assert failure["hint"] == "run `rvbuild update summed`; say each with --set: sha256=…"
    assert project.text("summed") == text
    project.world.fine("lock", "--check")
    ran = project.update("summed", code=2)
    assert "nothing to move" in ran.out
    project.update("summed", "--set", f"sha256={sums['1.1.0']}")
    new = text.replace("1.0.0", "1.1.0").replace(sums["1.0.0"], sums["1.1.0"])
    assert project.text("summed") == new
    project.update("--set", "sha256=1", code=2).said("nothing moves that takes a value: sha256")


def test_a_move_that_keeps_a_recipe_from_being_locked_stays(project: Project):
    """It is told, and the others move."""
    project.world.recipe("strict", STRICT)
    project.world.fine("lock")
    (stayed,) = project.answer("--dry-run", code=3)["stayed"]
    tried = [stayed["tried"][name] for name in ("recipe", "pin", "old", "new")]  # type: ignore[index]
    assert tried == ["lib", "version", "1.0.0", "1.1.0"]
    (problem,) = stayed["problems"]  # type: ignore[misc]
    assert "FIRST" in problem["problem"]
    ran = project.update("--dry-run", "--markdown", code=3)
    assert "### Not moved\n\n- `lib` (`stays at 1.0.0: with 1.1.0, " in ran.out
    ran = project.update(code=3)
    assert "lib: 1.0.0 ->" not in ran.out
    assert "\nNot moved\n  lib stays at 1.0.0: with 1.1.0, " in ran.out
    assert "  lib              1.0.0   2.0.0: update is minor\n" in ran.out
    ran.said("FIRST")
    assert project.text("lib") == LIB
    assert "version: v1.2.4" in project.text("module")
    project.world.fine("lock", "--check")
    before = git(project.world.folder, "diff")
    assert "nothing to move" in project.update("lib", code=3).out
    assert git(project.world.folder, "diff") == before


def test_a_recipe_that_is_broken_already_keeps_nothing_back(project: Project):
    project.world.recipe("strict", STRICT.replace("line: 1", "line: 7"))
    project.world.recipe("broken", "kind: sauce\n")
    ran = project.update(code=3)
    ran.said("'kind' cannot be 'sauce'")
    assert project.text("lib") == LIB.replace("1.0.0", "1.1.0")
    assert "version: v1.2.4" in project.text("module")


def test_what_has_no_list_is_counted_or_asks_for_a_version(project: Project):
    folder = project.world.folder.parent / "files"
    (folder / "archive-7.tar").write_text("seven")
    project.world.recipe("archive", ARCHIVE)
    assert "\nNo list of versions: 1\n" in project.update("--dry-run").out
    ran = project.update("archive", code=2)
    assert ran.out.startswith("nothing to move\n")
    ran.said("nobody has a list", "archive/version", "run `rvbuild update archive --to REF`")
    answer = project.answer("archive", "lib", "--dry-run", code=2)
    assert [move["recipe"] for move in answer["moves"]] == ["lib"]


def test_an_upstream_that_gives_no_answer(project: Project):
    """Offline that is told, and nothing is wrong, unless somebody named the pin."""
    proxy = project.world.folder.parent / "proxy"
    silent = Project(project.world.with_environment(GOPROXY="https://proxy.invalid"), {})
    told = silent.update("--offline", "--dry-run").out
    assert "\nNot asked\n  offline: 1\n    module v1.2.3\n" in told
    assert told.startswith("family-source@1: ")
    text = silent.update("--offline", "--dry-run", "--markdown").out
    assert "### Not asked\n\n- `module` `v1.2.3` (`offline`)\n" in text
    told = project.update("lib", "--dry-run").out
    assert "\nrecipes/lib/recipe.yaml: not written\n" in told
    silent.update("module", "--offline", code=4).said(
        "this run is offline", "module/version", "run `rvbuild update module --to REF`"
    )
    shutil.rmtree(proxy)
    text = project.update("--dry-run", "--markdown", code=4).out
    assert "### Errors\n\n- `" in text
    ran = project.update(code=4)
    ran.said("example.org/m")
    assert project.text("lib") == LIB.replace("1.0.0", "1.1.0")
    assert project.text("module") == MODULE


def test_recipes_that_came_with_rvbuild_stay(project: Project):
    project.world.recipe(
        "mine",
        "summary: mine\nkind: tool\nsources: {nginx: {from: nginx-source}}\n"
        'build: ": > $out/out"\noutputs: {out: {path: out}}\n',
    )
    project.world.fine("lock", "mine", "--offline")
    assert project.answer("--dry-run")["came-with-rvbuild"] == 1
    assert "\nCame with rvbuild: 1\n" in project.update().out
    ran = project.update("mine", code=2)
    ran.said("nginx-source came with rvbuild", "copy its folder")


def test_what_an_override_stands_for_moves_with_its_source(project: Project):
    """The lock has what recipes without overrides are, after the move, too."""
    project.world.recipe("newer", OVERRIDE)
    project.world.fine("lock")
    project.update()
    project.world.fine("lock", "--check")


REFUSALS = {
    "no such recipe": (("ap",), "there is no recipe called 'ap'"),
    "no such series": (("@7",), "no recipe of the project has the series '7'"),
    "no series": (("lib@7",), "no value that lib follows has a series '7'"),
    "for several": (("--set", "release=x"), "a value is said, and several pins move"),
    "in vain": (("lib", "--set", "sha=1"), "nothing here takes a value called sha"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_refused(project: Project, name: str):
    words, says = REFUSALS[name]
    project.update(*words, code=2).said(says)
    assert project.status == ""


def test_two_values_of_one_series_wait_for_a_person(project: Project):
    """Whether they belong together, nobody can derive; the others move."""
    text = (
        "summary: two values of one series\nkind: source\n"
        'sources: {two: {git: "https://example.org/${repository}", tag: "${tag}"}}\n'
        'per-series: {"2": {tag: v1.0.0, repository: other}}\n'
    )
    project.world.recipe("two", text)
    project.world.fine("lock")
    answer = project.answer("--dry-run", code=2)
    assert len(answer["moves"]) == 3
    (failure,) = answer["failures"]
    assert failure["hint"] == "run `rvbuild update two/tag@2`; say each with --set: repository=…"


PAIR = """\
summary: two values, each of a source, and one that is read from the second
kind: tool
version: "1.0.0"
pins: {b: "1.0.0", read: {from: b, line: 1, file: VERSION}}
sources:
  pair: {git: "https://example.org/other", tag: "v${version}"}
  b: {git: "https://example.org/family", tag: "v${b}"}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


def test_each_value_of_a_recipe_has_its_name_and_what_is_its_own(project: Project):
    project.world.recipe("pair", PAIR)
    project.world.fine("lock")
    table = project.world.run("outdated", "-q", "pair").out
    assert [line.split("  ")[1] for line in table.splitlines()[1:3]] == ["pair version", "pair b"]
    answer = project.answer("pair", "--dry-run")
    pins = [move["pin"] for move in answer["moves"]]
    assert sorted(pins) == ["b", "version"]
    of = {"b": "b", "read": "b", "version": "version", "pair/b": "b", "pair/pair": "version"}
    rows = [(row["pin"], row["move"]) for row in answer["pins"]]
    rows += [(row["source"], row["move"]) for row in answer["sources"]]
    assert {name: pins[at] for name, at in rows} == of
    told = project.update("pair").out
    b = told.index("pair b: 1.0.0 -> 1.1.0, because")
    version = told.index("pair version: 1.0.0 -> 1.1.0, because")
    read = told.index("  pair/read 1.0.0 -> 1.1.0, because VERSION:1")
    assert b < read
    assert not b < version < read
    assert "Held back\n  pair version  1.1.0  2.0.0: update is minor\n" in told


# ---- packages

OLD = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=3)
NEW = OLD + dt.timedelta(days=2)
SIGNER = Signer()
USER = """\
summary: packages
kind: tool
version: "1"
sources: {debs: {debian: [tool], suite: bookworm}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


@pytest.fixture
def archive() -> Iterator[tuple[dict[str, bytes], Served]]:
    pages = _pages(SignedArchive.of(MadePackage("tool"), date=OLD))
    with serve_pages(pages) as served:
        yield pages, served


def _pages(archive: SignedArchive) -> dict[str, bytes]:
    return archive.pages(SIGNER.clear(archive.index))


@pytest.mark.skipif(HERE != "amd64", reason="the packages of this test are for amd64")
def test_a_newer_index_of_a_suite_moves(
    project: Project, archive: tuple[dict[str, bytes], Served], tmp_path: Path
):
    """The recipe stays as it is; its answer in the lock is not kept."""
    pages, served = archive
    (tmp_path / "keys.asc").write_bytes(SIGNER.keyring)
    world = project.world.with_environment(
        RVBUILD_DEBIAN_MIRROR=served.url,
        RVBUILD_DEBIAN_SNAPSHOT="off",
        RVBUILD_DEBIAN_KEYS=str(tmp_path / "keys.asc"),
    )
    here = Project(world, project.commits)
    file = world.recipe("packages", USER)
    world.fine("lock")
    before = here.answer("--dry-run", "packages")
    assert (before["moves"], before["held-back"]) == ([], [])
    newer = SignedArchive.of(MadePackage("tool", needs="library"), MadePackage("library"), date=NEW)
    pages.update(_pages(newer))
    world.fine("lock")
    lock = (world.folder / "rvbuild.lock").read_text()
    assert "library" not in lock  # a lock is kept as long as it answers
    (move,) = here.answer("--dry-run", "packages")["moves"]
    moments = [f"{each:%Y%m%dT%H%M%SZ}" for each in (OLD, NEW)]
    assert [move["old"], move["new"], move["because"]] == [*moments, "renewal"]
    told = here.update().out
    day = f"{NEW:%Y-%m-%d}"
    assert f"packages debs: {OLD:%Y-%m-%d} -> {day}, because {day} is the newest index\n" in told
    assert file.read_text() == USER
    assert "library" in (world.folder / "rvbuild.lock").read_text()
    world.fine("lock", "--check")
    file.write_text(f"update: none\n{USER}")
    pages.update(_pages(SignedArchive.of(MadePackage("tool"), date=NEW + dt.timedelta(hours=2))))
    assert here.answer("packages")["moves"] == []


def test_what_is_still_to_be_locked_is_told(project: Project):
    """A recipe that was edited before; the lock is right once somebody does it."""
    path = project.world.folder / "recipes/app/recipe.yaml"
    path.write_text(path.read_text().replace("kind: tool", 'kind: tool\npins: {x: "1"}'))
    told = "rvbuild.lock: is no answer to {}, which this update did not lock: run `rvbuild lock`"
    assert "is no answer" not in project.world.fine("update", "module").err
    path.write_text(
        path.read_text().replace('x: "1"', "x: {from: family-source, line: 1, file: VERSION}")
    )
    assert "is no answer" not in project.world.fine("update", "lib", "--dry-run").err
    ran = project.world.fine("update", "lib")
    assert told.format("app") in ran.err
    assert project.world.run("lock", "--check").code != 0
    project.world.fine("lock")
    project.world.fine("lock", "--check")
