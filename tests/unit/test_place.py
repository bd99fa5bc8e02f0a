"""Places in files: how they are written."""

from __future__ import annotations

import pytest

from rvbuild.core.place import Place, UnwrittenPlace, place_before


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


OLD = "\ufeffa: é\nb: 1\nc: 2\nc: 2\n".encode()
NEW = b"b: 1\nc: 2\nc: 3\n"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (1, Place("r", 2, 4)),
        (2, UnwrittenPlace("r", 2, 4, "c: 2")),
        (3, UnwrittenPlace("r", 3, 4, "c: 3")),
        (4, UnwrittenPlace("r", 4, 4)),
        (0, UnwrittenPlace("r", 0, 4)),
    ],
    ids=["one line", "which of two", "another", "behind", "none"],
)
def test_a_line_that_stays_has_its_place_on_disk(line: int, place: Place):
    there = place_before(Place("r", line, 4), NEW, OLD)
    assert there == place
    assert ("(not written)" in str(there)) == isinstance(place, UnwrittenPlace)
    assert place_before(Place("r", 1, 4), OLD, OLD) == Place("r", 1, 4)
