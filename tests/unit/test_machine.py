"""The machine check stays apart from what it checks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.recipe import Recipe
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.recipes_yaml.collection import RecipeCollection

ROOT = Path(__file__).parents[2]
LONG = ROOT / "tests/long/machine"
RECIPES = RecipeCollection((str(ROOT / "recipes"),))
SPOILED = RecipeCollection((str(LONG / "recipes"), str(ROOT / "recipes")))
MACHINE = {"qemu-system", "machine-kernel", "machine-root", "machine-check"}


def closure(folder: RecipeCollection, name: str) -> list[Recipe]:
    graph = RecipeGraph([Target(name, "riscv64")], folder.load, "amd64")
    return [graph.recipe(instance.recipe) for instance in graph.order()]


def test_nothing_prebuilt_for_the_target_is_in_the_bundles_closure():
    for recipe in closure(RECIPES, "k3s-bundle"):
        specs = [use.spec for use in recipe.sources.values()]
        assert not any(isinstance(spec, DebianSpec) and spec.architecture for spec in specs)
        assert recipe.base not in MACHINE


def test_the_check_needs_the_bundle_and_the_bundle_names_its_check():
    assert MACHINE | {"k3s-bundle"} <= {recipe.base for recipe in closure(RECIPES, "k3s-machine")}
    assert RECIPES.load("k3s-bundle").checked_by == ("k3s-machine",)


@pytest.mark.parametrize(
    "script",
    [
        "recipes/machine-check/guest",
        "recipes/machine-check/machine-check",
        "recipes/machine-kernel/init",
        "tests/long/here/cgroups",
        "tests/long/here/enter",
        "tests/long/here/guest",
        "tests/long/here/run",
        "tests/long/machine/run",
    ],
)
def test_scripts_are_sh(script: str):
    subprocess.run(["sh", "-n", str(ROOT / script)], check=True)


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ({}, False),
        ({"name": "rvbuild-here-7\n", "log": ""}, False),
        ({"mine": ""}, True),
        ({"name": "Ada\n"}, True),
        ({".mine": ""}, True),
    ],
)
def test_a_folder_that_no_run_left_is_not_emptied(
    tmp_path: Path, files: dict[str, str], *, refused: bool
):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ran = subprocess.run(
        ["sh", str(ROOT / "tests/long/here/run"), str(tmp_path)],
        env={"PATH": os.environ["PATH"], "RVBUILD": "false"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ("holds what no run left" in ran.stderr) == refused
    assert ran.returncode == 6 or not refused
    assert {file.name for file in tmp_path.iterdir()} == set(files)


def test_every_spoiled_node_is_told_of_and_takes_the_whole_check():
    readme = (LONG / "README.md").read_text()
    names = [name for name in SPOILED.names() if name.startswith("node-")]
    assert len(names) == 9
    for name in names:
        assert f"| `{name}` |" in readme
        assert MACHINE | {"k3s-bundle"} <= {recipe.base for recipe in closure(SPOILED, name)}
