"""Which toolbox a recipe's step has: its own word, what an input exports, or the default."""

from __future__ import annotations

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.recipe import Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.recipes_yaml.recipe import read_recipe

TOOL = "kind: tool\ntoolbox: none\nsources: {a: {url: u}}\n"
TEXTS = {
    "base-toolbox": TOOL,
    "box": TOOL,
    "other-box": TOOL,
    "old": "kind: source\nsources: {a: {url: '${x}'}}\nper-series: {1: {x: a}, 2: {x: b}}\n",
    "series-box": "kind: tool\nsources: {a: {from: old}}\nbuild: x\n",
    "plain": TOOL,
    "cc": TOOL + "exports: {toolbox: box}\n",
    "more": TOOL + "exports: {toolbox: box}\n",
    "rust": TOOL + "exports: {toolbox: other-box}\n",
    "in-series": TOOL + "exports: {toolbox: series-box}\n",
}


def recipe_of(name: str, app: str) -> Recipe:
    text = app if name == "app" else TEXTS[name]
    return read_recipe(text.encode(), name, f"{name}.yaml")


def toolbox(app: str) -> str:
    graph = RecipeGraph(
        [Target("app", "amd64")], lambda name, _at=None, _series="": recipe_of(name, app), "amd64"
    )
    return graph.needs(Target("app", "amd64"))[0].recipe


@pytest.mark.parametrize(
    ("inputs", "word", "expected"),
    [
        ("", "", "base-toolbox"),
        ("plain", "", "base-toolbox"),
        ("plain, cc", "", "box"),
        ("cc, more", "", "box"),
        ("cc", "toolbox: other-box\n", "other-box"),
        ("cc, rust", "toolbox: rust\n", "rust"),
        ("cc", "toolbox: base-toolbox\n", "base-toolbox"),
    ],
)
def test_a_recipes_own_word_counts_and_then_its_inputs(inputs: str, word: str, expected: str):
    assert toolbox(f"{word}inputs: {{build: [{inputs}]}}\nbuild: x\n") == expected


def test_two_toolboxes_are_none():
    message = r"different toolboxes: box \(of cc\) and other-box \(of rust\)"
    with pytest.raises(RecipeError, match=message) as caught:
        toolbox("inputs: {build: [cc, rust]}\nbuild: x\n")
    assert str(caught.value.where) == "app.yaml:1:10"


@pytest.mark.parametrize(
    ("app", "series"),
    [
        ("inputs: {build: [in-series]}\nbuild: x\n", ("1", "2")),
        ("inputs: {build: [in-series, gone]}\nbuild: x\n", ("1", "2")),
        ("toolbox: box\ninputs: {build: [in-series]}\nbuild: x\n", None),
        ("toolbox: none\ninputs: {build: [in-series]}\nsources: {a: {url: u}}\n", None),
    ],
)
def test_a_recipe_has_the_series_of_the_toolbox_that_it_gets(
    app: str, series: tuple[str, ...] | None
):
    def read(name: str, _place: object) -> Recipe:
        if name == "gone":
            raise RecipeError(name)
        return recipe_of(name, app)

    assert SeriesRecipes(read).series_of(recipe_of("app", app)) == series
