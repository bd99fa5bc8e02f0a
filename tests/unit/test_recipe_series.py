"""The shipped recipes' series: one text for all, and most recipes are the same in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import read_lock

ROOT = Path(__file__).parents[2]
FOLDER = RecipeCollection((str(ROOT / "recipes"),))
SERIES = ("1.35", "1.34", "1.32")
SHARED = [name for name in FOLDER.names() if FOLDER.series.every(name)[0].series == ""]


@pytest.mark.parametrize("name", sorted({*FOLDER.names()} - {*SHARED}))
def test_whatever_has_series_has_all_and_a_default(name: str):
    assert tuple(each.series for each in FOLDER.series.every(name)) == SERIES
    assert FOLDER.load(name).series == "1.35"


def test_most_recipes_have_one_derivation_for_all_series():
    assert len(SHARED) >= 45


def test_values_stand_where_the_family_begins_and_nowhere_else():
    """So one more series is one line of one recipe, and the lock."""
    assert [name for name in FOLDER.names() if FOLDER.load(name).per_series] == ["k3s-source"]


def test_the_lock_has_each_series_and_none_without_one():
    lock = read_lock((ROOT / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    entries = [*lock.pins, *lock.sources, *(ref.source for ref in lock.go_modules)]
    locked = {ref.recipe for ref in entries}
    assert locked <= {each.name for name in FOLDER.names() for each in FOLDER.series.every(name)}
    for series in SERIES:
        assert f"k3s-source@{series}" in locked
        assert f"k3s-server@{series}" in locked
