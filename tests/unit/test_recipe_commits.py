"""A commit stands in a recipe of kind `source` alone, beside the tag that it was seen under."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.recipe import Ladder, Recipe
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.recipes_yaml.collection import RecipeCollection

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
ROOTS = {"k3s-source", "k3s-charts-source"}
"""Nothing asks for a tag of these: the one begins the family, the other has the charts of all."""


def has_commit(recipe: Recipe) -> bool:
    return any(isinstance(use.spec, GitSpec) for use in recipe.sources.values())


WITH_COMMIT = [name for name in FOLDER.names() if has_commit(FOLDER.load(name))]


@pytest.mark.parametrize("name", WITH_COMMIT)
def test_a_commit_is_the_source_of_a_recipe_of_its_own(name: str):
    assert FOLDER.load(name).kind == "source"


@pytest.mark.parametrize("name", sorted({*WITH_COMMIT} - ROOTS))
def test_the_tag_of_a_commit_is_held_against_the_one_that_is_asked_for(name: str):
    """So a K3s that asks for another tag stops `rvbuild lock` until the commit has moved too."""
    version = FOLDER.load(name).version
    assert isinstance(version, Ladder)
    assert version.prefer is None
    asked, seen = version.rungs
    assert asked.source in WITH_COMMIT
    assert seen.reader == "literal"


def test_the_roots_of_the_family_are_commits():
    assert set(WITH_COMMIT) > ROOTS
