"""Odd recipe files, updated: the value that moves changes, and not one character else."""

from __future__ import annotations

import os
from random import Random

import pytest
from odd_recipes import OddRecipe, odd_source

from rvbuild.core.names import RecipeName
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.recipes_yaml.edited_root import EditedRoot
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.release.destination import Destination
from rvbuild.release.literal_pin import LiteralPin
from rvbuild.release.move import PinMove, file_of
from rvbuild.release.patch_verdict import PatchVerdict
from rvbuild.release.pin_name import pin_of

SEEDS = range(int(os.environ.get("RVBUILD_ODD_RECIPES", "200")))
NAME = RecipeName("k3s")
FILE = file_of(NAME.base)


def root(data: bytes) -> CommittedRoot:
    return CommittedRoot("recipes", {FILE: CommittedFile(data)})


def pins(recipes: RecipeCollection) -> dict[str, LiteralPin]:
    return {pin.series: pin for pin in pin_of(recipes, NAME.base)}


def moved(data: bytes, series: str, commit: str, *, add: bool = False, tag: str = "") -> bytes:
    """What an update makes of the file."""
    before = root(data)
    there = pins(RecipeCollection((before,)))
    said = {"end-of-support": "2041-02-28"} if add else {}
    move = PinMove(RecipeEdits({FILE: data}), said, lambda *_: PatchVerdict())
    if add:
        former = next(iter(there.values()))
        move.new_series(former, series, Destination(value=commit, tag=tag))
    else:
        move.present(there[series], Destination(value=commit, tag=tag))
    assert (move.asks, move.vain) == ([], [])
    recipes = RecipeCollection((EditedRoot(before, move.edits.changed),))
    assert pins(recipes)[series].value == commit
    return move.edits.changed[FILE]


def series_of(recipe: OddRecipe) -> list[str]:
    there = recipe.model["per-series"]
    assert isinstance(there, dict)
    return list(there)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_commit_moves_and_nothing_else(seed: int):
    recipe, chance = odd_source(seed), Random(seed)  # noqa: S311 - an example, no secret
    series = chance.choice(series_of(recipe))
    commit = f"{chance.getrandbits(160):040x}"
    values = recipe.model["per-series"][series]  # type: ignore[index, call-overload]
    tag = values.get("release", "")  # type: ignore[union-attr]
    after = moved(recipe.data, series, commit, tag=tag).decode()
    slot = recipe.slots["per-series", series, "commit"]
    head, tail = recipe.text[: slot.begin], recipe.text[slot.end :]
    assert after.startswith(head)
    assert after.endswith(tail)
    assert commit in after[len(head) : len(after) - len(tail)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_series_comes_and_goes_and_the_bytes_are_the_same(seed: int):
    recipe, chance = odd_source(seed), Random(seed)  # noqa: S311 - an example, no secret
    series = f"1.{chance.choice((28, 30, 34, 40))}"
    commit = f"{chance.getrandbits(160):040x}"
    after = moved(recipe.data, series, commit, add=True)
    both = RecipeCollection((root(after),))
    move = PinMove(RecipeEdits({FILE: after}), {}, lambda *_: PatchVerdict())
    move.without_series([both.file(NAME.base)], series)
    assert move.edits.changed[FILE] == recipe.data
