"""What a recipe says by architecture, it says of each that it is for, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.recipes_yaml.collection import RecipeCollection

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))


@pytest.mark.parametrize("name", FOLDER.names())
def test_a_table_has_a_row_for_each_architecture(name: str):
    recipe = FOLDER.load(name)
    table = recipe.per_architecture
    if table:
        assert set(table) == set(recipe.architectures)
        assert len({frozenset(row) for row in table.values()}) == 1  # the same columns
        assert len({tuple(row.items()) for row in table.values()}) == len(table)


@pytest.mark.parametrize("name", ["zig-cc", "qemu-user"])
def test_what_is_for_one_target_has_a_table(name: str):
    assert FOLDER.load(name).kind == "toolchain"
    assert FOLDER.load(name).per_architecture
