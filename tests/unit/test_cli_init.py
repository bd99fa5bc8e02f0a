"""`init`: what it writes is a recipe that links, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.__main__ import main
from rvbuild.cli.arguments import STARTERS
from rvbuild.cli.workspace import shipped_recipes
from rvbuild.core.graph import Instance, RecipeGraph
from rvbuild.recipes_yaml.folder import Folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("starter", STARTERS)
def test_what_it_writes_is_a_recipe(here: Path, capsys: pytest.CaptureFixture[str], starter: str):
    assert main(["init", "my-tool", starter]) == 0
    out, err = capsys.readouterr()
    assert out == "recipes/my-tool/recipe.yaml\n"
    assert "rvbuild lock my-tool" in err
    folder = Folder((str(here / "recipes"), f"{shipped_recipes()}/recipes"))
    graph = RecipeGraph([Instance("my-tool", "riscv64")], folder.load, "amd64", checks=True)
    assert Instance("my-tool", "riscv64") in graph.order()
    assert "NAME" not in (here / out.strip()).read_text()


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["init", "it"]) == 0
    recipe = here / "recipes/it/recipe.yaml"
    recipe.write_text("mine")
    assert main(["init", "it", "image"]) == 2
    assert "already" in capsys.readouterr().err
    assert recipe.read_text() == "mine"


@pytest.mark.parametrize("name", ["../up", "Upper", "a/b", "."])
def test_a_name_that_is_none(here: Path, capsys: pytest.CaptureFixture[str], name: str):
    assert main(["init", name]) == 2
    assert "not a recipe name" in capsys.readouterr().err
    assert list(here.iterdir()) == []
