"""A folder that rvbuild itself changes is no source: its lock would never fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from world import World

from rvbuild.recipes_yaml.lock import read_lock, write_lock

LOCK, STORE, RESULT = "the project's lock", "the store", "links to results"
HINTS = {
    LOCK: "name a folder without it",
    STORE: "use another store with --store",
    RESULT: "remove those links",
}
PLACES = {
    "the project": ("../..", LOCK),
    "what is above it": ("../../..", LOCK),
    "the store": ("../../cache", STORE),
    "what the store is in": ("../../data", STORE),
    "a link to the project": ("../../link", LOCK),
    "the links' folder": ("../../result", RESULT),
}


def ask(world: World, path: str) -> None:
    world.recipe("k", f"kind: source\nversion: '1'\nsources: {{k: {{path: {path}}}}}\n")


@pytest.fixture
def project(bare: World) -> World:
    """One with folders of every kind; its store is `cache/`, or is in `data/`."""
    for name in ("src", "data", "cache", "result"):
        (bare.folder / name).mkdir()
    (bare.folder / "src/word").write_text("one\n")
    (bare.folder / "link").symlink_to(".")
    environment = {k: v for k, v in bare.environment.items() if k != "RVBUILD_STORE"}
    return evolve(bare, environment=environment, store=bare.folder / "cache")


def store_options(path: str) -> list[str]:
    return ["--store", "data/store"] if path.endswith("data") else []


@pytest.mark.parametrize("case", PLACES)
def test_a_lock_of_such_a_folder_is_refused(project: World, case: str):
    """Also where the store is not there yet."""
    path, what = PLACES[case]
    ask(project, path)
    file = project.folder / "rvbuild.lock"
    ran = project.run("lock", *store_options(path))
    assert ran.code == 3
    ran.said(f"the folder holds {what}, which rvbuild changes", "recipes/k/recipe.yaml:3:")
    ran.said("hint: ", HINTS[what])
    assert file.read_text() == ""


def test_a_folder_beside_them_is_a_source(project: World):
    ask(project, "../../src")
    project.fine("lock")
    project.fine("lock", "--check")


@pytest.mark.parametrize("path", ["cache/trees", "result/s"])
def test_what_lies_in_the_store_is_no_source(project: World, path: str):
    """Neither a folder of the store's own, nor what a link to a result leads to."""
    ask(project, "../../src")
    project.fine("lock")  # the store is made
    view = project.folder / "cache/views/ab" / ("c" * 64)
    view.mkdir(parents=True)
    (project.folder / "result/s").symlink_to(view)
    ask(project, f"../../{path}")
    ran = project.run("lock")
    assert ran.code == 3
    ran.said("the folder lies in the store", "recipes/k/recipe.yaml:3:", "hint: copy what you need")
    ask(project, "../../src")
    project.fine("lock")
    ran = project.run("plan", "k", "--override", f"k={path}")
    assert ran.code == 4
    ran.said("the folder lies in the store", "hint: copy what you need")


def test_one_such_folder_hinders_no_other_recipe(project: World):
    ask(project, "../..")
    project.recipe("other", "kind: source\nversion: '1'\nsources: {o: {path: ../../src}}\n")
    assert project.run("lock").code == 3
    assert "other/o" in (project.folder / "rvbuild.lock").read_text()


@pytest.mark.parametrize("case", PLACES)
def test_a_lock_that_has_such_a_folder_is_said_to(project: World, case: str):
    """An older rvbuild wrote it."""
    path, what = PLACES[case]
    ask(project, "../../src")
    project.fine("lock")
    lock = project.folder / "rvbuild.lock"
    old = read_lock(lock.read_bytes(), str(lock))
    ref, entry = next(iter(old.sources.items()))
    spec = entry.spec.replace("../../src", path)
    assert spec != entry.spec
    lock.write_text(write_lock(evolve(old, sources={ref: evolve(entry, spec=spec)})))
    ask(project, path)
    for words in (["plan", "k"], ["fetch", "k"], ["lock", "--check"]):
        ran = project.run(*words, *store_options(path))
        assert ran.code == 3
        ran.said(f"the folder holds {what}, which rvbuild changes", "hint: ", HINTS[what])


def test_no_build_reads_the_store_that_it_writes(project: World, tmp_path: Path):
    """A lock does not change in a build: the folder with it may stand for a source."""
    ask(project, "../../src")
    project.fine("lock")
    ran = project.run("plan", "k", "--override", "k=.")
    assert ran.code == 4
    ran.said(f"the folder holds {STORE}", "hint: ", HINTS[STORE])
    project.fine("plan", "k", "--override", "k=.", "--store", str(tmp_path / "away"))
