"""Which recipes have a value that moves."""

from __future__ import annotations

import pytest

from rvbuild.core.names import PinRef
from rvbuild.core.pin_step import PinStep
from rvbuild.core.place import Place

OF = [
    ("k@1/commit", "1", "k@1", True),
    ("k@1/commit", "1", "k@2", False),
    ("k@1/commit", "2", "k@2", True),
    ("k@1/commit", "1", "k", False),
    ("k/version", "", "k@2", True),
    ("k/version", "", "k", True),
    ("k/version", "", "l", False),
]


@pytest.mark.parametrize(("pin", "series", "recipe", "is_of"), OF)
def test_a_value_is_of_its_recipe_in_its_series(pin: str, series: str, recipe: str, *, is_of: bool):
    step = PinStep(pin=PinRef.parse(pin), place=Place("f", 1, 1), old="1", new="2", series=series)
    assert (step.recipe, step.is_of(recipe)) == ("k", is_of)
