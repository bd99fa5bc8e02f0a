"""`update`, as people use it: a family of recipes like K3s', with repositories of this test."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from answer_schemas import refuse_misfit
from attrs import frozen
from namespaces import namespaced
from world import Ran, World, git

FAMILY, OTHER, CHARTS = (f"https://example.org/{name}" for name in ("family", "other", "charts"))
SOURCE = """\
summary: the family's source  # what others derive from
kind: source
sources:
  tree: {{git: "{url}", commit: "${{commit}}"}}
# the newest first
per-series:
{series}"""
COMPILER = """\
summary: what the family says that it is built with
kind: source
version: {{from: family-source, line: 1, file: COMPILER}}
sources: {{compiler: {{git: "{url}", tag: "v${{version}}", paths: [COMPILER]}}}}
"""
OTHER_SOURCE = """\
summary: a source that the family names by a tag
kind: source
version: {{from: family-source, shell: OTHER, file: versions.sh}}
sources: {{other: {{git: "{url}", tag: "${{version}}"}}}}
"""
APP = """\
summary: what needs all of them
kind: tool
version: {from: family-source, line: 1, file: VERSION}
sources: {family: {from: family-source}, other: {from: other-source}, charts: {from: charts-source}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""
NEEDED = ("end-of-support=2031-02-28", "charts-source.commit={}")
MIRROR = '"{}" = "{}"\n'


@frozen
class Upstream:
    """The repositories, and commits by what they are called here."""

    family: Path
    commits: dict[str, str]


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    commits: dict[str, str] = {}
    for number in ("1.0", "2.0", "3.0"):
        files = {"VERSION": number, "COMPILER": number, "versions.sh": f"OTHER=v{number}", "W": "w"}
        for name in ("family", "other", "charts"):
            commits[f"{name} {number}"] = _commit(tmp_path / name, files | {"name": name})
    return Upstream(tmp_path / "family", commits)


def _commit(repository: Path, files: dict[str, str]) -> str:
    if not repository.exists():
        repository.mkdir()
        git(repository, "init", "-q", "-b", "main")
    for name, text in files.items():
        (repository / name).write_text(f"{text}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", files["VERSION"])
    git(repository, "tag", f"v{files['VERSION']}")
    return git(repository, "rev-parse", "HEAD")


def _entry(commit: str, day: str = "") -> str:
    support = f', end-of-support: "{day}"' if day else ""
    return f"{{commit: {commit}{support}}}"


def _write(world: World, upstream: Upstream, numbers: tuple[str, ...]) -> None:
    """Write the recipes with a series for each of the numbers."""
    days = {"1.0": "2030-02-28", "2.0": "2031-02-28"}
    family = "".join(
        f'  "{each}": {_entry(upstream.commits[f"family {each}"], days[each])}\n'
        for each in numbers
    )
    charts = "".join(
        f'  "{each}": {_entry(upstream.commits[f"charts {each}"])}\n' for each in numbers
    )
    world.recipe("family-source", SOURCE.format(url=FAMILY, series=family))
    world.recipe("charts-source", SOURCE.format(url=CHARTS, series=charts))
    world.recipe("compiler", COMPILER.format(url=FAMILY))
    world.recipe("other-source", OTHER_SOURCE.format(url=OTHER))
    world.recipe("app", APP)
    (world.folder / "recipes/series.yaml").write_text('default: ["1.0"]\n')
    lines = [
        MIRROR.format(url, upstream.family.parent / url.rpartition("/")[2])
        for url in (FAMILY, OTHER, CHARTS)
    ]
    (world.folder / "rvbuild.toml").write_text("[mirrors]\n" + "".join(lines))


@pytest.fixture
def family(bare: World, upstream: Upstream) -> World:
    """A family with one series, locked and committed."""
    _write(bare, upstream, ("1.0",))
    bare.fine("lock")
    git(bare.folder, "init", "-q")
    git(bare.folder, "add", "-A")
    git(bare.folder, "commit", "-q", "-m", "one")
    return bare


def _files(folder: Path) -> dict[str, bytes]:
    """The bytes of recipes and lock."""
    paths = [folder / "rvbuild.lock", *sorted((folder / "recipes").rglob("*.yaml"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _fresh(world: World, upstream: Upstream, numbers: tuple[str, ...]) -> dict[str, bytes]:
    """What a person writes, locked for the first time."""
    other = world.at(world.folder.parent / "-".join(("fresh", *numbers)))
    other.folder.mkdir()
    _write(other, upstream, numbers)
    other.fine("lock")
    return _files(other.folder)


def _added(world: World, upstream: Upstream, *more: str) -> Ran:
    charts = upstream.commits["charts 2.0"][:10]
    said = [word for each in NEEDED for word in ("--set", each.format(charts))]
    return world.fine("update", "app", "--to", "v2.0", "--series", "2.0", *said, *more)


def test_what_nobody_can_derive_is_asked_for_in_one_list(family: World, upstream: Upstream):
    ran = family.run("update", "app", "--to", upstream.commits["family 2.0"][:9], "--series", "2.0")
    assert (ran.code, ran.out) == (2, "")
    ran.said(
        "error: a person has to say end-of-support, charts-source.commit",
        "recipes/family-source/recipe.yaml:7:3: end-of-support: the day on which the support",
        "recipes/charts-source/recipe.yaml:7:3: charts-source.commit: the commit of 2.0",
        "hint: say each with --set: end-of-support=… charts-source.commit=…",
    )
    assert git(family.folder, "status", "--porcelain") == ""


def test_a_new_series_is_what_a_person_would_write(family: World, upstream: Upstream):
    """Recipes and lock, byte for byte; and back."""
    before = _files(family.folder)
    _added(family, upstream)
    assert _files(family.folder) == _fresh(family, upstream, ("2.0", "1.0"))
    family.fine("lock", "--check")
    assert not (family.folder / ".rvbuild-update").exists()
    ran = family.fine("update", "app", "--series", "2.0", "--drop")
    assert "the series 2.0 goes" in ran.out
    assert _files(family.folder) == before
    assert git(family.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("form", ["tag", "commit", "beginning"])
def test_a_series_moves_and_back(family: World, upstream: Upstream, form: str):
    before = _files(family.folder)
    commit = upstream.commits["family 3.0"]
    to = {"tag": "v3.0", "commit": commit, "beginning": commit[:7]}[form]
    ran = family.fine("update", "app@1.0", "--to", to)
    lines = ran.out.splitlines()
    old = upstream.commits["family 1.0"]
    assert lines[0] == f"family-source@1.0: {old[:12]} -> {commit[:12]}"
    because = f"because versions.sh:1 of family-source {commit[:8]} says so"
    assert f"other-source v1.0 -> v3.0, {because}" in lines
    assert f"family-source/tree (git) {old[:12]} -> {commit[:12]}, because you asked" in lines
    after = _files(family.folder)
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["rvbuild.lock", "recipes/family-source/recipe.yaml"]
    text = before["recipes/family-source/recipe.yaml"].decode().replace(old, commit)
    assert after["recipes/family-source/recipe.yaml"].decode() == text
    family.fine("lock", "--check")
    family.fine("update", "family-source", "--to", old[:8], "--series", "1.0")
    assert _files(family.folder) == before
    again = family.fine("update", "family-source", "--to", old)
    assert again.out == "family-source: nothing is to be changed\n"


def test_it_is_told_for_people_for_requests_and_for_programs(family: World, upstream: Upstream):
    """And nothing is written, if nothing is to be."""
    document = json.loads(_added(family, upstream, "--dry-run", "--json").out)
    refuse_misfit("update", document)
    (move,) = document["moves"]
    names = ("recipe", "pin", "old-series", "series", "because")
    assert [move[name] for name in names] == ["family-source", "commit", "1.0", "2.0", "asked"]
    assert (document["written"], document["lock"]) == (False, True)
    assert document["files"] == [
        "recipes/charts-source/recipe.yaml",
        "recipes/family-source/recipe.yaml",
    ]
    because = {each["source"]: each["because"] for each in document["sources"]}
    assert because["charts-source/tree"] == "asked"
    pins = {each["recipe"]: each for each in document["pins"]}
    assert (pins["compiler"]["old"], pins["compiler"]["new"]) == ("1.0", "2.0")
    assert pins["compiler"]["because"] == "derived"
    assert pins["compiler"]["origin"]["file"] == "COMPILER"
    text = _added(family, upstream, "--dry-run", "--markdown").out
    commit = upstream.commits["family 2.0"]
    assert f"- `compiler` `1.0` → `2.0` (`because COMPILER:1 of family-source {commit[:8]}" in text
    assert git(family.folder, "status", "--porcelain") == ""


def test_what_stands_instead_of_upstreams_is_told_with_its_reason(
    family: World, upstream: Upstream
):
    """Upstream's line does not say it; a program reads both, and why."""
    recipe = family.folder / "recipes/family-source/recipe.yaml"
    override = "{value: v2.0, because: [CVE-1], while: v1.0, until: 2131-01-01}"
    instead = f", instead: {{pins: {{other-source/version: {override}}}}}}}"
    text = recipe.read_text().replace('28"}', f'28"{instead}')
    recipe.write_text(f'{text}  "0.9": {_entry(upstream.commits["family 1.0"], "2030-02-28")}\n')
    charts = family.folder / "recipes/charts-source/recipe.yaml"
    entry = _entry(upstream.commits["charts 1.0"])
    charts.write_text(f'{charts.read_text()}  "0.9": {entry}\n')
    family.fine("lock")
    words = ["update", "app", "--to", "v1.0", "--series", "0.9.1", "--from", "0.9", "--dry-run"]
    for each in ("end-of-support=2131-01-01", "charts-source.commit=v1.0", "instead=1.0"):
        words += ["--set", each]
    said = f"versions.sh:1 of family-source {upstream.commits['family 1.0'][:8]}"
    text = family.fine(*words).out
    reason = "because CVE-1, until 2131-01-01"
    assert f"other-source v1.0 -> v2.0 instead of v1.0 ({said}), {reason}\n" in text
    document = json.loads(family.fine(*words, "--json").out)
    refuse_misfit("update", document)
    (pin,) = (each for each in document["pins"] if each["recipe"] == "other-source")
    assert (pin["old-override"], pin["because"]) == (None, "override")
    assert pin["override"] == {"upstream": "v1.0", "because": ["CVE-1"], "until": "2131-01-01"}


def test_patches_stay_while_they_apply(family: World):
    source = family.folder / "recipes/family-source"
    header = "Origin: somebody\n"
    (source / "fits.patch").write_text(f"{header}--- a/W\n+++ b/W\n@@ -1 +1,2 @@\n w\n+more\n")
    (source / "one.patch").write_text(
        f"{header}--- a/name\n+++ b/name\n@@ -1 +1 @@\n-family\n+families\n"
    )
    (source / "not.patch").write_text(
        f"{header}--- a/VERSION\n+++ b/VERSION\n@@ -1 +1 @@\n-1.0\n+9\n"
    )
    (source / "upstream.patch").write_text(
        f"{header}Applied-Upstream: 2.0\n\n--- a/COMPILER\n+++ b/COMPILER\n"
        "@@ -1 +1 @@\n-1.0\n+2.0\n"
    )
    recipe = source / "recipe.yaml"
    patches = "fits.patch, not.patch, upstream.patch, one.patch"
    recipe.write_text(recipe.read_text().replace('28"}', f'28", patches: [{patches}]}}'))
    recipe = family.folder / "recipes/app/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("line: 1, file: VERSION", "line: 1, file: name"))
    recipe = family.folder / "recipes/compiler/recipe.yaml"
    recipe.unlink()
    recipe.parent.rmdir()
    recipe = family.folder / "recipes/app/recipe.yaml"
    recipe.write_text(
        recipe.read_text().replace("version: {from: family-source, line: 1, file: name}\n", "")
    )
    ran = family.run("update", "family-source", "--to", "v2.0")
    assert ran.code == 2
    ran.said(
        "patches without not.patch, or with another: it does not apply: VERSION: line 1",
        "patches=…",
    )
    assert "fits.patch" not in ran.err
    ran = family.fine("update", "family-source", "--to", "v2.0", "--set", "patches=fits.patch")
    assert "patches: [fits.patch]" in (source / "recipe.yaml").read_text()


def test_a_recipe_without_series_moves(family: World, upstream: Upstream):
    source = f'sources: {{it: {{git: "{FAMILY}", tag: "v${{version}}"}}}}\n'
    text = f'kind: source\nversion: "1.0"\n{source}'
    recipe = family.recipe("plain", text)
    family.fine("lock", "plain")
    family.fine("update", "plain", "--to", "v2.0")
    assert recipe.read_text() == text.replace('"1.0"', '"2.0"')
    family.fine("update", "plain", "--to", "1.0")
    assert recipe.read_text() == text
    ran = family.run("update", "plain", "--to", upstream.commits["family 2.0"])
    assert ran.code == 2
    ran.said("plain names a tag, and this is a commit")


def test_a_tag_that_upstream_has_not_and_one_that_it_moved(family: World, upstream: Upstream):
    """The repository answered, so that its tags and the recipe's form are what helps."""
    source = f'sources: {{it: {{git: "{FAMILY}", tag: "v${{version}}"}}}}\n'
    recipe = family.recipe("plain", f'kind: source\nversion: "1.0"\n{source}')
    family.fine("lock", "plain")
    before = _files(family.folder)
    ran = family.run("update", "plain", "--to", "v2.00")
    assert ran.code == 4, str(ran)
    ran.said("no tag v2.00", "did you mean 'v2.0'?; the recipe has `tag: v${version}`")
    old, new = (upstream.commits[f"family {each}"] for each in ("1.0", "3.0"))
    git(upstream.family, "tag", "-f", "v1.0", new)
    ran = family.run("update", "plain", "--to", "v1.0")
    assert ran.code == 5, str(ran)
    ran.said("upstream moved the tag v1.0", f"upstream: {new}", f"the lock: {old}")
    assert _files(family.folder) == before
    assert recipe.exists()


def test_the_default_series_does_not_go(family: World, upstream: Upstream):
    _added(family, upstream)
    before = _files(family.folder)
    ran = family.run("update", "app", "--series", "1.0", "--drop")
    assert ran.code == 2, str(ran)
    ran.said("1.0 is the default", "name another in recipes/series.yaml first")
    assert _files(family.folder) == before


def test_a_first_series_arises(family: World, upstream: Upstream):
    """The default series is said, so that names alone mean what they meant."""
    (family.folder / "recipes/series.yaml").unlink()
    for name in ("family-source", "charts-source", "compiler", "other-source", "app"):
        shutil.rmtree(family.folder / "recipes" / name)
    old, new = upstream.commits["family 1.0"], upstream.commits["family 2.0"]
    text = f'kind: source\nsources: {{it: {{git: "{FAMILY}", commit: {old}}}}}\n'
    recipe = family.recipe("plain", text)
    family.fine("lock")
    family.fine("update", "plain", "--to", "v2.0", "--series", "2.0", "--from", "1.0")
    assert recipe.read_text() == (
        "kind: source\n"
        f'per-series: {{"2.0": {{commit: {new}}}, "1.0": {{commit: {old}}}}}\n'
        f'sources: {{it: {{git: "{FAMILY}", commit: "${{commit}}"}}}}\n'
    )
    assert (family.folder / "recipes/series.yaml").read_text() == 'default: ["1.0"]\n'
    family.fine("lock", "--check")
    family.fine("update", "plain@2.0", "--to", "v3.0")


REFUSALS = {
    "nowhere to": (("app", "--series", "7"), 2, "to which version is family-source to move?"),
    "of several": (("app", "compiler", "--to", "v2.0"), 2, "one version is for one recipe"),
    "of a series": (("@1.0", "--to", "v2.0"), 2, "one version is for one recipe"),
    "to nothing": (("app", "--to", ""), 2, "--to says nothing"),
    "of no series": (("app", "--series", "", "--to", "v2.0"), 2, "--series says nothing"),
    "of a series without a name": (("app@", "--to", "v2.0"), 2, "no series stands behind the @"),
    "a series from another": (("app", "--to", "v2.0", "--from", "1.0"), 2, "and none is named"),
    "no such recipe": (("ap", "--to", "v1"), 2, "there is no recipe called 'ap'"),
    "no such series": (("app", "--to", "v2.0", "--series", "3", "--from", "2"), 2, "no series '2'"),
    "no such revision": (("app", "--to", "v9"), 4, "upstream has no tag v9"),
    "no such commit": (("app", "--to", "abcdef012"), 4, "not asked: this run is offline"),
    "no revision": (("app", "--to", "a..b"), 2, "neither a tag nor a commit"),
    "in vain": (("app", "--to", "v2.0", "--set", "releases=x"), 2, "takes a value called releases"),
    "no value": (("app", "--to", "v2.0", "--set", "release"), 2, "not of the form NAME=VALUE"),
    "shipped": (("zlib", "--to", "1.3"), 2, "came with rvbuild"),
    "not to drop": (("app", "--series", "7", "--drop"), 2, "a series that is to go is named"),
    "the default goes": (("app", "--series", "1.0", "--drop"), 3, "the only entry"),
    "several": (("two", "--to", "1"), 2, "several sources that move"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_done_is_refused_and_nothing_changes(family: World, name: str):
    words, code, says = REFUSALS[name]
    family.recipe("two", f'kind: tool\nbuild: x\nsources:\n  a: {{git: "{FAMILY}", tag: v1.0}}\n'
                  f'  b: {{git: "{OTHER}", tag: v1.0}}\n')  # fmt: skip
    before = _files(family.folder)
    ran = family.run("update", *words, "--offline")
    assert ran.code == code, str(ran)
    ran.said("error: ", says)
    assert _files(family.folder) == before


def test_a_source_that_lacks_what_follows_changes_nothing(family: World, upstream: Upstream):
    """All that is wrong is told."""
    bad = _commit(upstream.family, {"VERSION": "4.0", "COMPILER": "none", "versions.sh": "X=1"})
    before = _files(family.folder)
    ran = family.run("update", "app", "--to", bad)
    assert ran.code == 3, str(ran)
    ran.said("versions.sh")
    assert "vnone" in ran.err
    assert _files(family.folder) == before


def test_what_was_never_recorded_goes_before_anybody_reads(family: World):
    journal = family.folder / ".rvbuild-update"
    journal.mkdir()
    (journal / "0").write_text("never recorded")
    before = _files(family.folder)
    family.fine("show")
    assert not journal.exists()
    assert _files(family.folder) == before


def test_what_was_recorded_is_ended_by_the_next_command_which_names_it(family: World):
    """Killed, and then on another branch: the files change now, so that is said."""
    path = "recipes/family-source/recipe.yaml"
    old = (family.folder / path).read_bytes()
    new = old.replace(b"the family's", b"its")
    journal = family.folder / ".rvbuild-update"
    journal.mkdir()
    (journal / "0").write_bytes(new)
    digests = [hashlib.sha256(each).hexdigest() for each in (old, new)]
    (journal / "record").write_text(json.dumps([[path, *digests]]))
    ran = family.fine("show")
    assert f"a change that was interrupted has ended now: {path}" in ran.err
    assert (family.folder / path).read_bytes() == new
    assert "interrupted" not in family.fine("show").err


@pytest.mark.privileged
def test_a_disk_that_fills_up_at_any_write(family: World, upstream: Upstream):
    """With more and more free pages: the old state or the new one, and the next command ends it."""
    state = family.folder.parent / "state"
    commit = upstream.commits["family 3.0"]
    ran = namespaced(family, f"""
        cp -a . {state}
        mkdir -p {state}-disk
        mount -t tmpfs -o size=256k none {state}-disk
        for pages in 0 1 2 3 4 5 6 8 12; do
            rm -rf {state}-disk/*  {state}-disk/.[a-z]*
            cp -a {state}/recipes {state}/rvbuild.lock {state}/rvbuild.toml {state}-disk
            cd {state}-disk
            head -c $((pages * 4096)) /dev/zero > room
            cat /dev/zero > filler 2>/dev/null || true
            rm room
            rvbuild update app --to {commit}
            rm filler
            rvbuild show app
            echo "pages $pages: $(cat recipes/family-source/recipe.yaml rvbuild.lock | sha256sum)"
            ls -A
        done
    """)  # fmt: skip
    assert "Traceback" not in ran.err, str(ran)
    states = {line.partition(": ")[2] for line in ran.out.splitlines() if line.startswith("pages")}
    assert len(states) == 2, str(ran)
    assert ".rvbuild-update" not in ran.out
