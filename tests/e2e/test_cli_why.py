"""`why` with the real program: each planted difference, here and against a cache.

The cache was filled before the difference was made, and nobody kept a log.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from world import HERE, World, clean_environment, repository

pytestmark = pytest.mark.privileged

TOP = """\
summary: {name}
license: MIT
homepage: https://example.invalid
kind: {kind}
version: "1"
"""
SCRIPT = """\
{more}build: |
  echo {name} > "$out/out.txt"
outputs:
  it: {{path: out.txt, kind: file}}
"""
APP = """\
inputs: {build: [cc], target: [lib]}
options: {lib: {input: lib, choices: {plain: lib, other: lib-other}}}
sources: {code: {from: code}}
"""
BUNDLE = f"bundle-{HERE}"
APP_HERE, LIB_HERE, CC_HERE = f"app-{HERE}", f"lib-{HERE}", f"cc-{HERE}"


@frozen
class Upstream:
    """A project, and the places that its sources are from."""

    world: World
    places: Path

    def write(self) -> None:
        """All as it was at first."""
        commit = repository(self.places / "code", {"a.txt": "one\n"})
        self.source("code", f"{{git: 'https://example.invalid/code', commit: {commit}}}")
        self.data("old\n")
        self.source("data", "{url: 'https://example.invalid/data.txt', unpack: false}")
        self.step("cc", kind="toolchain")
        self.step("lib", "inputs: {build: [cc]}\nsources: {data: {from: data}}\n")
        self.step("lib-other")
        self.step("app", APP)
        self.step("bundle", "inputs: {target: [app]}\n")

    def source(self, name: str, text: str) -> None:
        top = TOP.format(name=name, kind="source")
        self.world.recipe(name, f"{top}sources:\n  {name}: {text}\n")

    def step(self, name: str, more: str = "", kind: str = "package") -> None:
        top = TOP.format(name=name, kind=kind)
        self.world.recipe(name, top + SCRIPT.format(name=name, more=more))

    def data(self, text: str) -> None:
        (self.places / "data.txt").write_text(text)

    def lock(self) -> None:
        (self.world.folder / "rvbuild.lock").write_text("")
        self.world.fine("lock", "code", "data")

    # ---- the differences

    def pin(self) -> tuple[str, ...]:
        commit = repository(self.places / "code", {"a.txt": "two\n"})
        self.source("code", f"{{git: 'https://example.invalid/code', commit: {commit}}}")
        self.lock()
        return ()

    def option(self) -> tuple[str, ...]:
        return ("--option", "lib=other")

    def line(self) -> tuple[str, ...]:
        self.edit("lib")
        return ()

    def toolchain(self) -> tuple[str, ...]:
        self.edit("cc")
        return ()

    def content(self) -> tuple[str, ...]:
        self.data("new\n")
        self.lock()
        return ()

    def edit(self, name: str) -> None:
        file = self.world.folder / "recipes" / name / "recipe.yaml"
        file.write_text(file.read_text().replace(f"echo {name} ", f"echo another {name} "))


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, seed: Path) -> Upstream:
    """A bundle that was built and pushed, signed by ``ci``."""
    home = tmp_path_factory.mktemp("why")
    world = World(
        folder=home / "project",
        store=home / "store",
        environment={
            **clean_environment(home),
            "RVBUILD_STORE": str(home / "store"),
            "RVBUILD_SIGNING_NAME": "ci",
            "XDG_CONFIG_HOME": str(home / "settings"),
        },
    )
    world.folder.mkdir()
    (home / "places").mkdir()
    (home / "cache").mkdir()
    (world.folder / "rvbuild.toml").write_text(
        f"[mirrors]\n'https://example.invalid/' = '{home}/places/'\n"
        f"[caches]\nteam = 'read+write {home}/cache'\n"
    )
    world.clone(seed)
    upstream = Upstream(world, home / "places")
    upstream.write()
    upstream.lock()
    world.fine(BUNDLE)
    world.fine("keys", "trust", world.fine("keys", "new", "ci").out.strip())
    world.fine("push", BUNDLE)
    return upstream


@pytest.fixture
def fresh(upstream: Upstream) -> Upstream:
    """The same, with nothing changed."""
    shutil.rmtree(upstream.places / "code", ignore_errors=True)
    upstream.write()
    upstream.lock()
    return upstream


Difference = Callable[[Upstream], tuple[str, ...]]

DIFFERENCES: dict[str, tuple[Difference, str, str, list[str]]] = {
    "a pin": (Upstream.pin, "source", "code@", [APP_HERE, BUNDLE]),
    "an option": (Upstream.option, "input", APP_HERE, [BUNDLE]),
    "a recipe's line": (Upstream.line, "script", LIB_HERE, [APP_HERE, BUNDLE]),
    "a toolchain": (Upstream.toolchain, "script", CC_HERE, [LIB_HERE, APP_HERE, BUNDLE]),
    "a mirror's content": (
        Upstream.content,
        "source",
        "data.txt",
        [LIB_HERE, APP_HERE, BUNDLE],
    ),
}


def causes(answer: dict[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    """The kind, places and followers of each cause."""
    return [
        (each["kind"], *([row["label"] for row in each[rows]] for rows in ("places", "followers")))
        for each in answer["causes"]
    ]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_planted_difference_is_the_cause(fresh: Upstream, name: str):
    make, kind, place, followers = DIFFERENCES[name]
    world, words = fresh.world, make(fresh)
    here = world.fine("why", BUNDLE, *words, "--json").json
    ((found, (label,), above),) = causes(here)
    assert (found, above) == (kind, followers)
    assert label.startswith(place)
    store = str(world.store.with_name("empty"))
    there = world.fine("why", BUNDLE, *words, "--json", "--against", "team", "--store", store).json
    assert there["causes"] == here["causes"]
    assert there["former"] == {"derivation": here["former"]["derivation"], "place": "team/ci"}
    assert not Path(store).exists()
    reasons = world.plan(BUNDLE, *words)
    assert f"follows from {label}: " in reasons[BUNDLE]


def test_people_see_what_differs_and_what_follows(fresh: Upstream):
    fresh.line()
    link = fresh.world.folder / "result" / BUNDLE
    first, *lines = fresh.world.fine("why", BUNDLE).out.splitlines()
    assert first.startswith(f"{BUNDLE} is not what it was: {link} (")
    change = 'script: echo lib > "$out/out.txt" -> echo another lib > "$out/out.txt"'
    assert lines[:3] == ["", LIB_HERE, f"  {change}"]
    assert lines[-1] == f"  2 steps follow: {APP_HERE}, {BUNDLE}"
    assert f"build  {LIB_HERE}: {change}; " in fresh.world.fine("plan", BUNDLE).out


def test_where_nothing_differs_that_is_said(fresh: Upstream):
    world = fresh.world
    assert world.fine("why", BUNDLE).out.startswith(f"{BUNDLE} is as it was: ")
    ran = world.fine("why", BUNDLE, "--against", "team/ci")
    assert ran.out.startswith(f"{BUNDLE} is as it was: team/ci (")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((APP_HERE,), ("no result of it is known here", "compare with a cache: --against")),
        ((APP_HERE, "--against", "team"), ("into the cache team", "rvbuild keys list")),
        ((BUNDLE, "--against", "nowhere"), ("there is no cache 'nowhere'",)),
        ((BUNDLE, "--against", "team/stranger"), ("'stranger' is not trusted here",)),
    ],
)
def test_where_there_is_nothing_to_compare_with(
    fresh: Upstream, words: tuple[str, ...], said: tuple[str, ...]
):
    ran = fresh.world.run("why", *words)
    assert ran.code == 2
    ran.said(*said)
