"""`lock` with the real program: pins out of a repository, ladders, and what does not fit."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from world import HELLO, HERE, OTHER, ROOT, World, git, repository

from rvbuild.recipes_yaml.lock import read_lock, write_lock

URL = "https://example.invalid/upstream"
FILES = {
    "go.mod": "module example.org/up\n\ngo 1.21\n\nrequire example.org/dep v1.4.2\n",
    "versions.sh": '#!/bin/sh\nOTHER=1\nVERSION_DEP="v1.4.2"\n',
    "chart.yaml": "image:\n  tag: v9\n",
}
SOURCE = """\
summary: upstream
license: MIT
homepage: https://example.invalid
kind: source
version: "1"
sources:
  it: {{git: {url}, commit: {commit}}}
"""
USER = """\
summary: reads pins
license: MIT
homepage: https://example.invalid
version: {from: upstream, go-module: example.org/dep}
pins:
  tag: {from: upstream, yaml: image.tag, file: chart.yaml}
  commit: {from: upstream, git: short}
date: {from: upstream, git: date}
build: |
  echo "$version $tag $commit $SOURCE_DATE_EPOCH" > "$out/out.txt"
outputs:
  it: {path: out.txt, kind: file}
"""
LADDER = """\
version:
  first-of:
    - {from: upstream, go-module: example.org/dep}
    - {from: upstream, shell: VERSION_DEP, file: versions.sh}
"""
USER_HERE = f"user-{HERE}"


@pytest.fixture
def upstream(world: World, tmp_path: Path) -> Upstream:
    return Upstream(world, tmp_path / "upstream")


class Upstream:
    """A repository, the recipe that takes its last commit, and the recipe that reads pins."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.mirror = ("--mirror", f"{URL}={folder}")
        self.lock = world.folder / "rvbuild.lock"
        self.commit({})
        world.recipe("user", USER)

    def commit(self, changes: dict[str, str]) -> str:
        commit = repository(self.folder, {**FILES, **changes})
        self.world.recipe("upstream", SOURCE.format(url=URL, commit=commit))
        return commit


def test_pins_come_out_of_the_source_with_their_places(upstream: Upstream):
    world = upstream.world
    commit = upstream.commit({})
    world.fine("lock", *upstream.mirror).said("rvbuild.lock: 2 pins, ", "sources")
    world.fine(USER_HERE, *upstream.mirror)
    text = (world.folder / "result" / USER_HERE / "out.txt").read_text()
    assert text == f"v1.4.2 v9 {commit[:8]} 1700000000\n"
    lines = world.fine("show", "--pins", USER_HERE).out.splitlines()
    assert lines == [
        "user/tag = v9  (upstream chart.yaml:2)",
        "user/version = v1.4.2  (upstream go.mod:5)",
    ]
    pins = world.fine("show", "--pins", "--json", USER_HERE).json["pins"]
    assert pins[1] == {
        "pin": "user/version", "value": "v1.4.2", "source": "upstream", "file": "go.mod", "line": 5,
        "upstream": None, "instead": None,
    }  # fmt: skip


def test_locking_again_changes_no_byte(upstream: Upstream):
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    first = upstream.lock.read_bytes()
    assert world.fine("lock", "--check", "--offline").out == ""
    world.fine("lock", *upstream.mirror)
    upstream.lock.rename(upstream.lock.with_name("old"))
    world.fine("lock", *upstream.mirror)
    assert upstream.lock.read_bytes() == first


def test_check_writes_nothing_and_fails_if_the_lock_would_change(upstream: Upstream):
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    before = upstream.lock.read_bytes()
    upstream.commit({"go.mod": FILES["go.mod"].replace("1.4.2", "1.5.0")})
    ran = world.run("lock", "--check", *upstream.mirror)
    assert (ran.code, ran.out) == (3, "")
    ran.said("error: the lock is not what the recipes ask for", "rvbuild.lock", "rvbuild lock")
    assert upstream.lock.read_bytes() == before


def test_only_the_named_recipes_are_locked_again(upstream: Upstream):
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    before = upstream.lock.read_text()
    world.recipe(
        "broken", HELLO.replace('version: "1"', "version: {from: nowhere, line: 1, file: x}")
    )
    assert world.run("lock", *upstream.mirror).code == 3
    world.fine("lock", "user", "--offline")
    assert upstream.lock.read_text() == before


def test_what_others_read_from_a_source_that_changed_is_locked_again_too(upstream: Upstream):
    """The lock after `lock user` is the one that `lock` would have written."""
    world = upstream.world
    world.recipe("reader", USER.replace("image.tag", "image.other"))
    chart = FILES["chart.yaml"] + "  other: %s\n"
    upstream.commit({"chart.yaml": chart % "one"})
    world.fine("lock", *upstream.mirror)
    commit = upstream.commit({"chart.yaml": chart % "two"})
    world.fine("lock", "user", *upstream.mirror)
    world.fine("lock", "--check", "--offline")
    world.fine(f"reader-{HERE}", "--offline")
    text = (world.folder / "result" / f"reader-{HERE}" / "out.txt").read_text()
    assert text == f"v1.4.2 two {commit[:8]} 1700000000\n"


def unchecked(text: str) -> str:
    """A lock as an rvbuild wrote it that knew no checks."""
    return re.sub(r"^    check: .*\n", "", text, flags=re.MULTILINE)


def test_what_another_build_machine_was_given_stays(upstream: Upstream):
    """As long as it is described as this machine's own."""
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    text = upstream.lock.read_text()
    found = re.search(rf"^  base-toolbox/debian@{HERE}:\n(?:    .*\n)+", text, re.MULTILINE)
    assert found
    theirs = unchecked(found.group()).replace(f"@{HERE}:", f"@{OTHER}:")
    stale = theirs.replace("base-toolbox/", "base-toolbox/a").replace("suite: ", "suite: x")
    plain, mine = unchecked(text), unchecked(found.group())
    upstream.lock.write_text(plain.replace(mine, mine + theirs + stale))
    world.fine("lock", "--offline")
    first, second = sorted([mine, theirs])
    expected = plain.replace(mine, first + second)
    assert unchecked(upstream.lock.read_text()) == expected
    world.fine("lock", "--check", "--offline")


def test_a_project_may_use_the_modules_of_a_source_that_shipped_recipes_use(world: World):
    """Its own set of Go modules of the same source does not replace theirs."""
    shipped = (ROOT / "rvbuild.lock").read_text()
    source = re.search(r"^  k3s-source@1\.35/k3s:\n(?:    .*\n)+", shipped, re.MULTILINE)
    assert source
    text = (
        f"lock: 2\npins: {{}}\nsources:\n{source.group()}module-sets:\n"
        "  k3s-source@1.35/k3s:\n"
        f"    specs:\n      - mine\n    go-sum: {'0' * 64}\n    modules: ''\n    trace: ''\n"
        "debian-packages: {}\ngo-modules: {}\n"
    )
    checked = write_lock(read_lock(unchecked(text).encode(), "rvbuild.lock", mend=True))
    (world.folder / "rvbuild.lock").write_text(checked)
    world.fine("show", f"k3s-server-{OTHER}")


def test_rungs_that_disagree_are_each_shown_with_file_line_and_value(upstream: Upstream):
    world = upstream.world
    world.recipe("user", USER.replace(USER.splitlines(keepends=True)[3], LADDER))
    upstream.commit({"versions.sh": 'VERSION_DEP="v1.4.3"\n'})
    ran = world.run("lock", *upstream.mirror)
    assert (ran.code, ran.out) == (3, "")
    ran.said("error: the places that declare user/version disagree", "recipes/user/recipe.yaml:5:3")
    ran.said("v1.4.2", "upstream go.mod:5", "v1.4.3", "upstream versions.sh:1", "hint", "prefer: N")
    assert "user/version" not in upstream.lock.read_text()
    upstream.commit({"versions.sh": FILES["versions.sh"]})
    world.fine("lock", *upstream.mirror)
    world.fine(USER_HERE, *upstream.mirror)


def test_a_pin_that_is_not_there(upstream: Upstream):
    world = upstream.world
    world.recipe("user", USER.replace("example.org/dep", "example.org/other"))
    ran = world.run("lock", *upstream.mirror)
    assert ran.code == 3
    ran.said("error: ", "example.org/other", "go.mod")
    world.recipe("user", USER.replace("chart.yaml", "charts.yaml"))
    ran = world.run("lock", *upstream.mirror)
    assert ran.code == 3
    ran.said("error: ", "no file charts.yaml", "recipes/user/recipe.yaml:6:8")


def test_a_lock_that_does_not_fit_the_recipe(upstream: Upstream):
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    before = world.records()
    upstream.commit({"README": "a new commit"})
    ran = world.run(USER_HERE, *upstream.mirror)
    assert (ran.code, ran.out) == (3, "")
    ran.said("rvbuild.lock has upstream/it for another recipe than this one")
    ran.said("recipes/upstream/recipe.yaml:7:", "locked: ", "recipe: ", "run `rvbuild lock`")
    assert world.records() == before


def test_a_source_that_was_never_locked(upstream: Upstream):
    ran = upstream.world.run(USER_HERE)
    assert (ran.code, ran.out) == (3, "")
    ran.said("rvbuild.lock does not have", "recipes/u", "hint: run `rvbuild lock`")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lock: 3\npins: {}\n", "format 3", "the rvbuild that wrote it"),
        ("<<<<<<< ours\n", "git has not merged this file", "git checkout"),
        ("lock: 1\npins: {}\nsources: [\n", "rvbuild.lock:4:1", "version control"),
    ],
)
def test_a_lock_that_is_not_valid(bare: World, text: str, message: str, hint: str):
    bare.recipe("hello", HELLO)
    (bare.folder / "rvbuild.lock").write_text(text)
    for ran in bare.run_each([("plan", f"hello-{HERE}"), ("lock",)]):
        assert (ran.code, ran.out) == (3, "")
        ran.said("error: ", message)
        ran.said("hint: ", hint)


OF_VERSION_1 = """\
lock: 1
pins: {}
sources: {}
go-modules:
  k/k:
    specs: []
    modules: []
    mods: []
"""


def test_a_lock_of_version_1_is_written_again_as_a_whole(bare: World):
    """Builds say so; a lock of one recipe would leave the sets of others without their go.sum."""
    lock = bare.folder / "rvbuild.lock"
    bare.recipe("hello", HELLO)
    lock.write_text(OF_VERSION_1)
    for words in (("plan", f"hello-{HERE}"), ("lock", "--check"), ("lock", "hello")):
        ran = bare.run(*words)
        assert (ran.code, ran.out) == (3, "")
        ran.said("error: ", "format", "run `rvbuild lock`", "it keeps every pin")
        assert lock.read_text() == OF_VERSION_1
    bare.fine("lock")
    assert "lock: 2\n" in lock.read_text()
    bare.fine("plan", f"hello-{HERE}")


def test_outside_of_a_project_no_lock_is_written(world: World, tmp_path: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = world.at(empty).run("lock")
    assert (ran.code, ran.out) == (2, "")
    ran.said("error: this is no project", str(empty), "hint: write recipes/NAME/recipe.yaml")
    assert list(empty.iterdir()) == []


def test_a_new_project_takes_over_what_shipped_recipes_are_locked_to(world: World):
    """Offline: the toolbox need not be asked for again; its pins are then the project's own."""
    lock = world.folder / "rvbuild.lock"
    lock.unlink()
    world.fine("lock", "hello", "--offline").said("0 pins, ", "sources")
    assert re.search(r"^  base-toolbox/debian@\w+:$", lock.read_text(), re.MULTILINE)
    world.fine(f"hello-{HERE}", "--offline")


# ---- a project beside the recipes that came with rvbuild


@pytest.fixture
def installed(upstream: Upstream, tmp_path: Path) -> Upstream:
    """A program that comes with the recipes `upstream` and `user`, and a project without any."""
    world = upstream.world
    world.fine("lock", *upstream.mirror)
    home = tmp_path / "lib/rvbuild"
    shutil.copytree(ROOT / "rvbuild", home, ignore=shutil.ignore_patterns("__pycache__"))
    shipped = home / "_recipes"
    for name in ("upstream", "user", "hello"):
        shutil.copytree(world.folder / "recipes" / name, shipped / "recipes" / name)
    shutil.copytree(ROOT / "recipes/base-toolbox", shipped / "recipes/base-toolbox")
    upstream.lock.rename(shipped / "rvbuild.lock")
    shutil.rmtree(world.folder / "recipes")
    upstream.lock.touch()
    upstream.world = world.with_environment(PYTHONPATH=str(home.parent))
    return upstream


def test_a_project_that_replaces_a_source_locks_what_is_read_from_it(installed: Upstream):
    """What was read from another source is not true any more; the rest is still served."""
    world, mirror = installed.world, installed.mirror
    world.fine("plan", USER_HERE)
    installed.commit({"go.mod": FILES["go.mod"].replace("1.4.2", "1.5.0")})
    ran = world.run("plan", USER_HERE)
    assert ran.code == 3
    ran.said("has upstream/it for another recipe", "hint: run `rvbuild lock`")
    world.fine("lock", *mirror)
    text = installed.lock.read_text()
    assert re.findall(r"^  (\S+):$", text, re.MULTILINE) == [
        "user/tag", "user/version", "upstream/it",
    ]  # fmt: skip
    world.fine("lock", *mirror)
    world.fine("lock", "--check", "--offline")
    assert installed.lock.read_text() == text
    pins = world.fine("show", "--pins", USER_HERE).out
    assert "user/version = v1.5.0" in pins
    world.fine(USER_HERE, f"hello-{HERE}", *mirror)
    assert "v1.5.0" in (world.folder / "result" / USER_HERE / "out.txt").read_text()


def test_what_a_project_locked_by_name_stays_in_its_lock(installed: Upstream):
    world = installed.world
    world.fine("lock", "user", "--offline")
    text = installed.lock.read_text()
    assert "user/version" in text
    world.fine("lock", "--offline")
    assert installed.lock.read_text() == text


# ---- the file itself


def sourced(world: World) -> None:
    (world.folder / "words").mkdir()
    world.recipe("words", "summary: words\nlicense: MIT\nhomepage: https://example.invalid\n"
                 "kind: source\nversion: '1'\nsources: {it: {path: ../../words}}\n")  # fmt: skip


@pytest.mark.parametrize("links", [0, 1, 2])
def test_a_lock_that_is_a_link_is_written_where_it_leads(bare: World, links: int):
    """As git's and cargo's files are; the control is the file itself. Its mode stays."""
    bare.fine("lock")  # a link out of the project leads to a lock, not to an empty file
    sourced(bare)
    shared = bare.folder.parent / "shared"
    shared.mkdir()
    lock, real = bare.folder / "rvbuild.lock", shared / "all.lock"
    if links:
        lock.rename(real)
    for target in ("../shared/all.lock", "../shared/again")[:links]:
        if lock.is_symlink():
            (shared / "again").symlink_to("all.lock")
            lock.unlink()
        lock.symlink_to(target)
    real = lock.resolve()
    real.chmod(0o660)
    bare.fine("lock")
    assert lock.is_symlink() == bool(links)
    assert b"words" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o660
    assert sorted(os.listdir(shared)) == [[], ["all.lock"], ["again", "all.lock"]][links]
    bare.fine("lock", "--check")


def test_a_lock_that_may_not_be_written_stays(bare: World):
    sourced(bare)
    lock = bare.folder / "rvbuild.lock"
    lock.chmod(0o444)
    ran = bare.run("lock")
    assert (ran.code, ran.out) == (1, "")
    ran.said(
        "error: the lock cannot be written: it is read-only",
        f"--> {lock.name}\n",
        "hint: ",
        "chmod u+w",
    )
    assert lock.read_bytes() == b""
    lock.chmod(0o644)
    bare.fine("lock")


def test_a_clone_that_cannot_be_kept_is_of_its_recipe_alone(upstream: Upstream, tmp_path: Path):
    """Something is in the way of clones: what needs none is locked, and the rest is told."""
    world = upstream.world
    (tmp_path / "words").mkdir()
    (tmp_path / "words/text").write_text("words\n")
    world.recipe(
        "words",
        "summary: w\nlicense: MIT\nhomepage: https://example.invalid\nkind: source\n"
        f'version: "1"\nsources: {{it: {{path: {tmp_path}/words}}}}\n',
    )
    (world.store / "tmp").mkdir(parents=True, exist_ok=True)
    (world.store / "tmp/git").write_text("in the way")
    ran = world.run("lock")
    assert ran.code == 1, str(ran)
    ran.said("error: cannot look for the clone", "tmp/git", "hint: move it away")
    text = upstream.lock.read_text()
    assert "words" in text
    assert "upstream" not in text


IN_THE_LOCKS_PLACE = {
    "a folder": ("", "Is a directory", "put a plain file there"),
    "a link into a file": ("file/lock", "Not a directory", "see where it leads"),
    "a link into nowhere": ("gone/lock", "No such file", "see where it leads"),
    "a link to itself": ("rvbuild.lock", "Too many levels", "see where it leads"),
}
"""Where the link leads, empty for a folder; what is said, and what is to be done."""


@pytest.mark.parametrize("what", IN_THE_LOCKS_PLACE)
def test_what_is_no_lock_is_named_before_anything_is_asked(world: World, what: str):
    target, problem, hint = IN_THE_LOCKS_PLACE[what]
    lock = world.folder / "rvbuild.lock"
    (world.folder / "file").write_text("x")
    lock.unlink(missing_ok=True)
    if target:
        lock.symlink_to(target)
    else:
        lock.mkdir()
    ran = world.run("lock")
    assert ran.code == 3
    ran.said(problem, "rvbuild.lock", hint)
    assert lock.is_symlink() if target else lock.is_dir()
    assert not (world.folder / "gone").exists()


BAD = "https://bad.example/r"


@pytest.mark.parametrize(("tag", "code"), [("v1", 4), ("v" * 300, 3)], ids=["refs", "tag"])
def test_a_repository_that_cannot_be_read_costs_one_recipe(
    world: World, tmp_path: Path, tag: str, code: int
):
    for name in ("good", "bad"):
        repository(tmp_path / name, {"a": "x\n"})
    (tmp_path / "bad/.git/refs/tags/v1").symlink_to("/proc/self/mem")  # reading it is EIO
    commit = git(tmp_path / "good", "rev-parse", "HEAD")
    world.step("bad", "true", f"sources: {{s: {{git: '{BAD}', tag: {tag}}}}}\n")
    world.step("good", "true", f"sources: {{s: {{git: '{URL}', commit: {commit}}}}}\n")
    mirrors = (f"{BAD}={tmp_path / 'bad'}", f"{URL}={tmp_path / 'good'}")
    ran = world.run("lock", "--offline", *(f"--mirror={each}" for each in mirrors))
    assert ran.code == code, str(ran)
    assert "Traceback" not in ran.err
    assert commit in (world.folder / "rvbuild.lock").read_text()
