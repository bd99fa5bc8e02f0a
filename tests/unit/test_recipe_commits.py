"""Commits stand in recipes of kind `source`; all but the family's roots are asked for by tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.recipe import Recipe
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.recipes_yaml.collection import RecipeCollection

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
ROOTS = {"k3s-source", "k3s-charts-source"}
"""Nothing asks for a tag of these: the one begins the family, the other has the charts of all."""
OTHERS = {"nginx-source"}
"""No part of the family: the version, and with it the tag, is said here."""


def git_spec(recipe: Recipe) -> GitSpec | None:
    specs = [use.spec for use in recipe.sources.values()]
    return next((spec for spec in specs if isinstance(spec, GitSpec)), None)


OF_GIT = [name for name in FOLDER.names() if git_spec(FOLDER.load(name))]


@pytest.mark.parametrize("name", OF_GIT)
def test_what_git_brings_is_the_source_of_a_recipe_of_its_own(name: str):
    assert FOLDER.load(name).kind == "source"


@pytest.mark.parametrize("name", sorted({*OF_GIT} - ROOTS - OTHERS))
def test_the_tag_is_the_one_that_the_family_asks_for(name: str):
    """Nobody looks a commit up, and no literal can be of another K3s."""
    recipe = FOLDER.load(name)
    spec = git_spec(recipe)
    assert spec is not None
    assert (spec.tag, spec.commit) == ("${version}", "")
    assert not isinstance(recipe.version, str)
    assert {rung.source for rung in recipe.version.rungs} <= {*OF_GIT}


def test_another_source_says_its_version_once():
    for name in OTHERS:
        recipe = FOLDER.load(name)
        spec = git_spec(recipe)
        assert spec is not None
        assert (spec.tag.endswith("${version}"), spec.commit) == (True, "")
        assert recipe.version
        assert not recipe.series


def test_the_roots_of_the_family_are_commits():
    for name in ROOTS:
        spec = git_spec(FOLDER.load(name))
        assert spec is not None
        assert spec.commit
        assert not spec.tag
