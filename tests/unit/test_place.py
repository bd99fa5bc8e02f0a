"""Places in files: how they are written."""

from __future__ import annotations

import pytest

from rvbuild.core.place import Place


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("r.yaml", 3, 7), "r.yaml:3:7"),
        (Place("go.mod", 3), "go.mod:3"),
        (Place("a b/c:d"), "a b/c:d"),
    ],
)
def test_a_place_is_written_as_compilers_do(place: Place, text: str):
    assert str(place) == text
