"""`init`: what it writes is a recipe whose inputs are there; nothing is overwritten or hidden."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from rvbuild.__main__ import main
from rvbuild.app.workspace import shipped_recipes
from rvbuild.cli.commands import COMMANDS, STARTERS
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.recipe import RESERVED_NAMES
from rvbuild.recipes_yaml.collection import RecipeCollection


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
    folder = RecipeCollection((str(here / "recipes"), f"{shipped_recipes()}/recipes"))
    graph = RecipeGraph([Target("my-tool", "riscv64")], folder.load, "amd64", checks=True)
    assert Target("my-tool", "riscv64") in graph.order()
    assert "NAME" not in (here / out.strip()).read_text()


def test_a_starter_that_is_none_is_told_with_those_there_are(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        main(["init", "it", "cmake"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    for part in ("'cmake'", *STARTERS):
        assert part in err
    assert list(here.iterdir()) == []


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


def test_a_name_that_is_too_long_or_like_a_target(here: Path, capsys: pytest.CaptureFixture[str]):
    for name, says in (
        ("x" * 300, "at most 100"),
        ("my-tool-riscv64", "`rvbuild init my-tool`"),
        ("arm64", "with the architecture arm64"),
    ):
        assert main(["init", name]) == 2
        assert says in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", sorted({*COMMANDS, *RESERVED_NAMES}))
def test_a_name_that_means_something_else(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
):
    """Whatever is a command, or lies in a step's /in already; the hint's own name is none."""
    assert main(["init", name]) == 2
    err = capsys.readouterr().err
    assert f"cannot be called {name!r}" in err
    assert "hint: choose another name" in err
    assert list(here.iterdir()) == []
    assert main(["init", f"my-{name}"]) == 0


def test_a_recipe_that_rvbuild_brings_is_not_hidden(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["init", "busybox"]) == 2
    err = capsys.readouterr().err
    assert "rvbuild brings a recipe called 'busybox'" in err
    assert f"{shipped_recipes()}/recipes/busybox" in err
    assert "another name" in err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["my..tool", "my.", "my-._tool"])
def test_a_name_that_no_image_can_have(here: Path, capsys: pytest.CaptureFixture[str], name: str):
    assert main(["init", name, "image"]) == 2
    assert "cannot be the name of an image" in capsys.readouterr().err
    assert list(here.iterdir()) == []
    assert main(["init", name, "autotools"]) == 0


def test_a_name_that_no_go_module_can_have(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["init", "my.", "go"]) == 2
    assert "'example.org/my.'" in capsys.readouterr().err
    assert list(here.iterdir()) == []
    assert main(["init", "my..tool", "go"]) == 0


def test_what_is_in_the_way_is_not_called_a_recipe(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "recipes").mkdir()
    (here / "recipes/it").write_text("notes")
    assert main(["init", "it"]) == 1
    err = capsys.readouterr().err
    assert "cannot be written" in err
    assert "a recipe is a folder" in err
    assert (here / "recipes/it").read_text() == "notes"


@pytest.mark.parametrize("before", [(), ("recipes",), ("recipes", "recipes/it")])
def test_a_recipe_is_there_whole_or_not_at_all(
    here: Path, capsys: pytest.CaptureFixture[str], before: tuple[str, ...]
):
    """Half of one would stop each lock of the project. What was there stays."""
    for folder in before:
        (here / folder).mkdir()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        assert main(["init", "it"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "ulimit -f" in capsys.readouterr().err
    assert sorted(os.path.relpath(path, here) for path in here.rglob("*")) == list(before)
    assert main(["init", "it"]) == 0
    assert [path.name for path in (here / "recipes/it").iterdir()] == ["recipe.yaml"]
