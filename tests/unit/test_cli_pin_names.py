"""What pins are called: no two alike, and each as short as that lets it be."""

from __future__ import annotations

from itertools import combinations

import pytest

from rvbuild.cli.pin_names import pin_names
from rvbuild.core.names import PinRef

NAMES = {
    "a version": {"nginx/version": "nginx"},
    "of series": {"k@1/commit": "k@1", "k@2/commit": "k@2"},
    "in a source": {"box/sources.debian.suite": "box debian"},
    "in a source of its name": {"nginx-source/sources.nginx.tag": "nginx-source"},
    "two values": {"two/b": "two b", "two/version": "two version"},
    "two values of a series": {"k@1/commit": "k@1 commit", "k@1/commit2": "k@1 commit2"},
    "two values and a source": {
        "two/b": "two b", "two/version": "two version", "two/sources.a.tag": "two a",
    },
    "a value and a source of its name": {
        "coll/lone": "coll", "coll/sources.lone.tag": "coll lone",
    },
    "two values and a source of the name of one": {
        "coll/lone": "coll lone",
        "coll/version": "coll version",
        "coll/sources.lone.tag": "coll sources.lone.tag",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_pins_apart(name: str):
    named = {PinRef.parse(ref): text for ref, text in NAMES[name].items()}
    assert pin_names(named) == named


def test_what_chooses_no_source_has_its_own_name():
    pins = [PinRef("app", "version"), PinRef("app", "lib")]
    assert pin_names(pins, whole=pins[1:]) == dict(zip(pins, ("app", "app lib"), strict=True))


REFS = [
    PinRef(recipe, name)
    for recipe in ("a", "a@1", "b")
    for name in ("version", "a", "b", "sources.a.tag", "sources.a.commit", "sources.c.tag")
]


@pytest.mark.parametrize("whole", [False, True])
def test_no_two_names_are_alike(*, whole: bool):
    """Of any three pins."""
    for pins in combinations(REFS, 3):
        names = pin_names(pins, whole=pins[:1] if whole else ())
        assert len(set(names.values())) == 3, pins
