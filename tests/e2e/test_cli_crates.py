"""Programs in Rust out of a registry of the test's own: what is locked, and what a step sees."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import define, field
from made_crates import MadeCrate, cargo_home, cargo_lock, crate, registry_pages
from site_of_bytes import Served, serve_pages
from world import HERE, World

COUNT = 60
TARGET = f"user-{HERE}"
RECIPE = """\
summary: uses crates
license: MIT
homepage: https://example.invalid
version: "VERSION"
sources:
  program: {crate: program, version: "${version}"}
  crates: {crates: program}
build: |
  cp -r /src/crates /src/program "$out"
  cd /src/crates
  for crate in *; do
    sed 's/^{"files":{//; s/},"package":.*//; s/,/\\n/g' "$crate/.cargo-checksum.json" |
      sed 's/^"\\(.*\\)":"\\(.*\\)"$/\\2  \\1/' > /tmp/sums
    (cd "$crate" && sha256sum -c --quiet /tmp/sums && [ "$(wc -l < /tmp/sums)" -ge 1 ])
    echo "$crate"
  done > "$out/out.txt"
outputs:
  it: {path: out.txt, kind: file}
"""
GIT = """
[[package]]
name = "zgit"
version = "0.9.0"
source = "git+https://example.invalid/zgit?tag=v0.9.0#0123456789abcdef0123456789abcdef01234567"
"""


def libraries() -> list[MadeCrate]:
    """As many as ``COUNT``, in three chains: each but the last needs another one."""
    made: list[MadeCrate] = []
    for number in reversed(range(COUNT)):
        needs = made[2:3] if len(made) > 2 else []
        made.insert(0, crate(f"unit{number:02}", f"1.{number}.0", needs=needs))
    return made


def program(version: str, needs: Iterable[MadeCrate], others: str = "") -> MadeCrate:
    """A program that says the names of all its crates, with its Cargo.lock."""
    main = 'fn main() { println!("{}", program::names()) }\n'
    bare = crate("program", version, needs=needs)
    lock = cargo_lock(bare, others)
    return crate("program", version, needs=needs, **{"src/main.rs": main, "Cargo.lock": lock})


@define
class Registry:
    """A running registry; ``pages`` are what it has, ``asked`` what it was asked for."""

    world: World
    pages: dict[str, bytes] = field(factory=dict)
    served: Served = field(factory=lambda: Served(""))

    @property
    def asked(self) -> list[str]:
        return [each.path for each in self.served.asked]

    def has(self, *crates: MadeCrate) -> None:
        self.pages |= registry_pages(crates, self.served.url)

    def refused(self, code: int, *parts: str, words: tuple[str, ...] = (TARGET,)) -> None:
        """The program ends so, and makes nothing."""
        ran = self.world.run(*words)
        assert (ran.code, ran.out) == (code, ""), str(ran)
        ran.said("error: ")
        for part in parts:
            ran.said(part)
        assert not (self.world.folder / "result").exists()


@pytest.fixture
def registry(world: World, tmp_path: Path) -> Iterator[Registry]:
    found = Registry(world)
    with serve_pages(found.pages) as served:
        found.served = served
        home = cargo_home(tmp_path / "cargo", f'registry = "sparse+{served.url}/index/"')
        found.world = world.with_environment(CARGO_HOME=str(home))
        yield found


@pytest.fixture
def locked(registry: Registry) -> Registry:
    """A registry, and a recipe that was locked to what it has."""
    crates = libraries()
    registry.has(program("0.1.0", crates[:3]), *crates)
    registry.world.recipe("user", RECIPE.replace("VERSION", "0.1.0"))
    registry.world.fine("lock", "user")
    return registry


def locked_lines(world: World) -> list[str]:
    return (world.folder / "rvbuild.lock").read_text().splitlines()


@pytest.mark.privileged
def test_each_crate_of_the_cargo_lock_is_where_cargo_looks_for_it(locked: Registry):
    """One object a crate, checked in the step by the checksums that cargo reads."""
    world, crates = locked.world, libraries()
    lines = locked_lines(world)
    for each in crates:
        assert f"        {each.name} {each.version}" in lines
        assert lines.count(f"  {each.name} {each.version}: {each.sha256}") == 1
    locked.served.asked.clear()
    world.fine(TARGET)
    result = world.folder / "result" / TARGET
    assert (result / "out.txt").read_text().split() == [f"{c.name}-{c.version}" for c in crates]
    assert (result / "program/Cargo.lock").exists()
    assert locked.asked.count("/index/config.json") == 1
    assert len(locked.asked) == 1 + COUNT, "each crate is asked for once; the program was there"
    world.sound()


@pytest.mark.privileged
def test_a_build_asks_nobody_for_what_is_in_the_store(locked: Registry):
    locked.world.fine("fetch", TARGET)
    locked.pages.clear()
    locked.served.asked.clear()
    locked.world.fine("--offline", TARGET)
    assert locked.asked == []


@pytest.mark.privileged
@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo on this machine")
def test_cargo_builds_the_program_from_what_a_step_sees(locked: Registry, tmp_path: Path):
    """A cargo of this machine, offline, with the vendored crates as its only registry."""
    locked.world.fine(TARGET)
    result = locked.world.folder / "result" / TARGET
    home = cargo_home(tmp_path / "offline", f'directory = "{result}/crates"')
    settings = {"CARGO_HOME": str(home), "CARGO_TARGET_DIR": str(tmp_path / "target")}
    ran = subprocess.run(
        ["cargo", "run", "--quiet", "--frozen", "--manifest-path", f"{result}/program/Cargo.toml"],
        env={**os.environ, **settings}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = [f"unit{number:02}" for first in range(3) for number in range(first, COUNT, 3)]
    assert ran.stdout.split() == ["program", *names]


def test_other_bytes_than_the_locked_ones(locked: Registry):
    page = "/dl/unit07/1.7.0/download"
    evil = crate("unit07", "1.7.0", **{"build.rs": "fn main() {}\n"})
    locked.pages[page] = evil.data
    locked.refused(5, "unit07-1.7.0.crate", page, f"it has the SHA-256 {evil.sha256}")


def test_a_crate_that_the_registry_lost(locked: Registry):
    del locked.pages["/dl/unit07/1.7.0/download"]
    locked.refused(4, "unit07-1.7.0.crate", "/dl/unit07/1.7.0/download", "404", "[source] in")


def test_a_new_cargo_lock_is_read_when_it_is_locked_again(locked: Registry):
    """Of the lock changes what the program changed: two lines a crate, and the checks."""
    world, crates = locked.world, libraries()
    before = locked_lines(world)
    newer = crate("unit00", "1.0.1", needs=crates[3:4])
    locked.has(newer, program("0.2.0", [newer, *crates[1:3]]))
    world.recipe("user", RECIPE.replace("VERSION", "0.2.0"))
    locked.refused(3, "user/program for another recipe than this one")
    world.fine("lock", "user")
    after = locked_lines(world)
    changed = sorted(line for line in {*before} ^ {*after} if "unit" in line)
    assert changed == [
        "        unit00 1.0.0",
        "        unit00 1.0.1",
        f"  unit00 1.0.0: {crates[0].sha256}",
        f"  unit00 1.0.1: {newer.sha256}",
    ]
    world.fine("lock", "user")
    assert locked_lines(world) == after


def test_a_git_dependency_is_refused_with_its_place(registry: Registry):
    crates = libraries()
    registry.has(program("0.1.0", crates[:3], GIT), *crates)
    registry.world.recipe("user", RECIPE.replace("VERSION", "0.1.0"))
    before = locked_lines(registry.world)
    registry.refused(
        3, "the crate zgit 0.9.0 comes from git (https://example.invalid/zgit?…)",
        "not supported yet", "program:Cargo.lock:", "asked for at", "recipes/user/recipe.yaml:7:",
        "hint: depend on a release", words=("lock", "user"),
    )  # fmt: skip
    assert locked_lines(registry.world) == before


def test_a_source_without_a_cargo_lock(registry: Registry):
    registry.has(crate("program", "0.1.0"))
    registry.world.recipe("user", RECIPE.replace("VERSION", "0.1.0"))
    registry.refused(3, "the source user/program has no file Cargo.lock", words=("lock", "user"))


def test_people_see_how_many_crates_there_are(locked: Registry):
    shown = locked.world.fine("show", TARGET, "--closure").out
    assert "unit07-1.7.0.crate" in shown
    assert f"{COUNT} crates" in shown
